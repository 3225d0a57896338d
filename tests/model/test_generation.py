import pytest
import torch
from torch import Tensor

from gpt_core.model import (
    Decoding,
    GPTModel,
    build_model,
    describe_choice,
    generate,
    next_token_probas,
    stream_tokens,
    transpose_weights,
)
from gpt_core.model.generation import SHOWN_CANDIDATES
from gpt_core.model.gpt import KeyValueCache
from gpt_core.vocabularies import DECODING_LOGITS, DECODING_VOCABULARY
from tests.conftest import TINY

PROMPT = torch.tensor([[6109, 3626]])


def test_it_writes_past_the_context_length() -> None:
    assert generate(build_model(TINY, seed=1), PROMPT, 40).shape == (1, 42)


def recomputed(model: GPTModel, token_ids: Tensor, max_new_tokens: int) -> Tensor:
    """Continue as the chapter's generate_text_simple does: everything anew for each token."""
    for _ in range(max_new_tokens):
        with torch.no_grad():
            logits = model(token_ids[:, -model.config.context_length :])[:, -1]
        token_ids = torch.cat((token_ids, logits.argmax(-1, keepdim=True)), dim=1)
    return token_ids


@pytest.mark.parametrize("is_transposed", [False, True])
@pytest.mark.parametrize("length", [1, 2, 20, 31, 32, 33, 50])
def test_the_cache_gives_the_tokens_that_computing_all_anew_gives(
    length: int, is_transposed: bool
) -> None:
    model = build_model(TINY, seed=1)
    prompt = torch.randint(0, 50257, (1, length), generator=torch.Generator().manual_seed(2))
    expected = recomputed(model, prompt, 20)
    if is_transposed:
        transpose_weights(model)
    assert torch.equal(generate(model, prompt, 20), expected)


def test_tokens_beyond_the_context_are_refused_by_a_model_with_a_full_cache() -> None:
    model = build_model(TINY, seed=1)
    caches = [KeyValueCache() for _ in model.trf_blocks]
    model.features(torch.zeros(1, 32, dtype=torch.int64), caches)
    with pytest.raises(ValueError, match="33 tokens are more than context_length=32"):
        model.features(torch.zeros(1, 1, dtype=torch.int64), caches)


def test_greedy_draws_no_random_number() -> None:
    state = torch.get_rng_state()
    generate(build_model(TINY, seed=1), PROMPT, 3)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_generator_of_its_own_leaves_the_global_one_alone_and_repeats() -> None:
    model = build_model(TINY, seed=1)
    state = torch.get_rng_state()
    texts = [
        generate(model, PROMPT, 9, 1.0, generator=torch.Generator().manual_seed(4)).tolist()
        for _ in range(2)
    ]
    assert texts[0] == texts[1]
    assert torch.equal(torch.get_rng_state(), state)


def test_top_1_is_greedy_at_any_temperature() -> None:
    model = build_model(TINY, seed=1)
    greedy = generate(model, PROMPT, 6)
    assert torch.equal(generate(model, PROMPT, 6, temperature=5.0, top_k=1), greedy)


def test_it_stops_where_the_end_would_come_and_does_not_write_it() -> None:
    model = build_model(TINY, seed=1)
    ids = generate(model, PROMPT, 6)
    third = int(ids[0, 4])
    before = ids[0, :4].tolist()
    assert third not in before
    assert generate(model, PROMPT, 6, eos_id=third).tolist() == [before]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "temperature=-1.0"),
        ({"top_k": 0}, "top_k=0"),
        ({"top_p": 0.0}, "top_p=0.0"),
        ({"top_p": 1.5}, "top_p=1.5"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate(build_model(TINY, seed=1), PROMPT, 1, **settings)


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="prompt is empty"):
        generate(build_model(TINY, seed=1), torch.zeros(1, 0, dtype=torch.int64), 1)


# How a token is chosen: the chapter's example of nine words


LOGITS = torch.tensor(DECODING_LOGITS)


def drawn(decoding: Decoding, draws: int = 1000) -> dict[str, int]:
    """Draw as the chapter does, from seed 123; return how often each word came."""
    torch.manual_seed(123)
    probas = next_token_probas(LOGITS, decoding)
    counts = torch.zeros(len(LOGITS), dtype=torch.int64)
    for _ in range(draws):
        counts[torch.multinomial(probas, num_samples=1)] += 1
    return {w: n for w, n in zip(DECODING_VOCABULARY, counts.tolist(), strict=True) if n}


def test_the_chapters_thousand_draws_at_temperature_1() -> None:
    counts = drawn(Decoding(temperature=1.0))
    assert counts == {"closer": 73, "forward": 582, "inches": 2, "toward": 343}


def test_the_chapters_greedy_word_is_forward() -> None:
    probas = next_token_probas(LOGITS, Decoding())
    assert probas.tolist() == [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert DECODING_VOCABULARY[int(probas.argmax())] == "forward"


@pytest.mark.parametrize("temperature", [0.1, 1.0, 5.0])
def test_temperature_divides_the_scores(temperature: float) -> None:
    probas = next_token_probas(LOGITS, Decoding(temperature))
    torch.testing.assert_close(probas, torch.softmax(LOGITS / temperature, dim=-1))
    assert int(probas.argmax()) == 3  # the order stays
    forward = {0.1: 0.99, 1.0: 0.57, 5.0: 0.24}[temperature]
    assert float(probas[3]) == pytest.approx(forward, abs=0.01)


def test_top_3_leaves_the_chapters_three_words_and_their_ratios() -> None:
    probas = next_token_probas(LOGITS, Decoding(1.0, top_k=3))
    kept = [w for w, p in zip(DECODING_VOCABULARY, probas.tolist(), strict=True) if p]
    assert kept == ["closer", "forward", "toward"]
    rounded = [round(p, 4) for p in probas.tolist()]
    assert rounded == [0.0615, 0.0, 0.0, 0.5775, 0.0, 0.0, 0.0, 0.3610, 0.0]  # as printed there


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [
        (0.1, ["forward"]),
        (0.5, ["forward"]),
        (0.6, ["forward", "toward"]),
        (0.95, ["closer", "forward", "toward"]),
        (1.0, list(DECODING_VOCABULARY)),
    ],
)
def test_top_p_keeps_the_fewest_words_that_reach_it(top_p: float, kept: list[str]) -> None:
    probas = next_token_probas(LOGITS, Decoding(1.0, top_p=top_p))
    assert [w for w, p in zip(DECODING_VOCABULARY, probas.tolist(), strict=True) if p] == kept
    assert float(probas.sum()) == pytest.approx(1.0)


def test_top_p_counts_after_top_k_and_temperature() -> None:
    evened = next_token_probas(LOGITS, Decoding(5.0, top_k=3, top_p=0.7))
    assert [i for i, p in enumerate(evened.tolist()) if p] == [3, 7]


def test_a_draw_never_leaves_what_top_k_and_top_p_kept() -> None:
    model = build_model(TINY, seed=1)
    generator = torch.Generator().manual_seed(0)
    decoding = Decoding(3.0, top_k=5, top_p=0.5)
    for next_id, logits in stream_tokens(model, PROMPT, 30, decoding, generator=generator):
        assert next_id.item() in logits.topk(5).indices[0].tolist()


def test_a_choice_shows_what_it_was_made_from_and_the_chosen_among_it() -> None:
    logits = torch.arange(100.0)[None] / 10  # (1, 100): the last is the most probable
    decoding = Decoding(2.0, top_k=50)
    choice = describe_choice(torch.tensor([[98]]), logits, decoding)
    assert choice.candidates[:3] == (99, 98, 97)
    assert len(choice.candidates) == SHOWN_CANDIDATES
    assert choice.before[0] == pytest.approx(float(torch.softmax(logits[0], 0)[99]))
    assert choice.after[0] == pytest.approx(float(next_token_probas(logits[0], decoding)[99]))
    rare = describe_choice(torch.tensor([[3]]), logits, Decoding(50.0))
    assert rare.candidates[-1] == rare.token_id == 3
    assert rare.before[-1] < rare.after[-1]

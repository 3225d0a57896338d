import pytest
import torch
from torch import Tensor

from gpt_core import GPTModel, build_model, generate
from gpt_core.model import KeyValueCache
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


@pytest.mark.parametrize("length", [1, 2, 20, 31, 32, 33, 50])
def test_the_cache_gives_the_tokens_that_computing_all_anew_gives(length: int) -> None:
    model = build_model(TINY, seed=1)
    prompt = torch.randint(0, 50257, (1, length), generator=torch.Generator().manual_seed(2))
    assert torch.equal(generate(model, prompt, 20), recomputed(model, prompt, 20))


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
    [({"temperature": -1.0}, "temperature=-1.0"), ({"top_k": 0}, "top_k=0")],
)
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate(build_model(TINY, seed=1), PROMPT, 1, **settings)


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="prompt is empty"):
        generate(build_model(TINY, seed=1), torch.zeros(1, 0, dtype=torch.int64), 1)

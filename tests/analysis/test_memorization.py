import pytest
import tiktoken
import torch

from gpt_core.analysis import find_copying, measure_copying, memorization
from gpt_core.analysis.memorization import copied_spans
from gpt_core.vocabularies import text_to_token_ids

STORY = "The lamp was lit at six. Nobody came up the stairs that evening, and the wind fell."


def ids(text: str, tokenizer: tiktoken.Encoding) -> torch.Tensor:
    return text_to_token_ids(text, tokenizer)[0].int()


def brute_force(sample: list[int], text: list[int], at_least: int) -> list[tuple[int, int]]:
    """All runs that stand in the text and are part of no longer one."""
    found = [
        (start, end)
        for start in range(len(sample))
        for end in range(start + at_least, len(sample) + 1)
        if any(text[i : i + end - start] == sample[start:end] for i in range(len(text)))
    ]

    def is_part_of_another(run: tuple[int, int]) -> bool:
        return any(o != run and o[0] <= run[0] and run[1] <= o[1] for o in found)

    return sorted(run for run in found if not is_part_of_another(run))


@pytest.mark.parametrize("searched", [1, 7, 2_000_000])  # tokens at a time
@pytest.mark.parametrize("seed", range(40))
def test_the_runs_are_those_of_a_search_through_everything(
    seed: int, searched: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memorization, "SEARCHED", searched)
    generator = torch.Generator().manual_seed(seed)
    text = torch.randint(0, 4, (60,), generator=generator)
    sample = torch.randint(0, 4, (25,), generator=generator)
    found = copied_spans(sample, text.to(torch.uint16), at_least=3)
    assert copied_spans(sample, text.int(), at_least=3) == found
    assert found == brute_force(sample.tolist(), text.tolist(), 3)


def test_a_sentence_of_the_text_is_copied_whole(tokenizer: tiktoken.Encoding) -> None:
    prompt = "Every effort moves you"
    text = f"{prompt} nobody. Nobody came up the stairs that evening, and he slept"
    copying = find_copying(text, prompt, ids(STORY, tokenizer), tokenizer)
    (start, end), *others = copying.spans
    assert not others
    pieces = [tokenizer.decode([i]) for i in ids(text, tokenizer).tolist()]
    assert "".join(pieces[start:end]) == ". Nobody came up the stairs that evening, and"
    assert copying.longest == end - start == 10
    assert copying.fraction == pytest.approx(10 / (len(pieces) - 4))
    assert copying.span_of == [0 if start <= i < end else None for i in range(len(pieces))]


def test_the_prompt_was_given_and_is_never_called_copied(tokenizer: tiktoken.Encoding) -> None:
    prompt = "Nobody came up the stairs that evening"
    copying = find_copying(prompt + " zebra", prompt, ids(STORY, tokenizer), tokenizer)
    assert copying.spans == ()
    assert (copying.fraction, copying.longest) == (0.0, 0)


def test_a_sample_that_adds_nothing_has_copied_nothing(tokenizer: tiktoken.Encoding) -> None:
    copying = find_copying("Every", "Every", ids(STORY, tokenizer), tokenizer)
    assert (copying.fraction, copying.longest, copying.tokens) == (0.0, 0, 1)


def test_a_prompt_whose_last_token_has_grown_ends_before_it(tokenizer: tiktoken.Encoding) -> None:
    # "you" and "r" is one token: " your".
    copying = measure_copying("Every effort moves your", "Every effort moves you", (), tokenizer)
    assert (copying.prompt_tokens, copying.tokens) == (3, 4)


def test_what_is_measured_from_recorded_runs_is_what_was_found(
    tokenizer: tiktoken.Encoding,
) -> None:
    text = "So it was. Nobody came up the stairs that evening, and the wind fell."
    found = find_copying(text, "So it was", ids(STORY, tokenizer), tokenizer)
    assert found.spans
    assert measure_copying(text, "So it was", found.spans, tokenizer) == found

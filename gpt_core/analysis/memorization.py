"""Memorization: how much of a sample is copied verbatim from the training text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gpt_core.vocabularies import Tokenizer, get_tokenizer, text_to_token_ids

MIN_COPIED_TOKENS = 5  # tokens: shorter spans are common phrases of any text
MIN_COPIED_CHARACTERS = 20  # of a vocabulary of characters or bytes, about as long
SEARCHED = 2_000_000  # tokens of the training text that are compared at a time


@dataclass(frozen=True)
class Copying:
    """The copied spans of a sample, as (start, end) token positions.

    The prompt is left out: the model did not generate it.
    """

    prompt_tokens: int
    tokens: int  # of prompt and continuation together
    spans: tuple[tuple[int, int], ...]  # may overlap
    tokenizer: Tokenizer = field(default_factory=get_tokenizer, repr=False)  # of the positions

    @property
    def at_least(self) -> int:
        """Return the minimum length of a span, in tokens."""
        return min_copied(self.tokenizer)

    @cached_property
    def span_of(self) -> list[int | None]:
        """Return, for each token of prompt and continuation, the index of its first span."""
        numbers: list[int | None] = [None] * self.tokens
        for number, (start, end) in reversed(list(enumerate(self.spans))):
            numbers[start:end] = [number] * (end - start)
        return numbers

    @cached_property
    def fraction(self) -> float:
        """Return the copied fraction of the generated tokens, 0 to 1."""
        written = self.tokens - self.prompt_tokens
        copied = sum(number is not None for number in self.span_of)
        return copied / written if written else 0.0

    @property
    def longest(self) -> int:
        """Return the length of the longest copied span, in tokens."""
        return max((end - start for start, end in self.spans), default=0)


def measure_copying(
    text: str,
    prompt: str,
    spans: Sequence[Sequence[int]],
    tokenizer: Tokenizer,
) -> Copying:
    """Return the copying of a sample whose copied spans are known."""
    _, prompt_tokens, tokens = _split_off_prompt(text, prompt, tokenizer)
    return Copying(prompt_tokens, tokens, tuple((start, end) for start, end in spans), tokenizer)


def find_copying(text: str, prompt: str, training_ids: Tensor, tokenizer: Tokenizer) -> Copying:
    """Find the spans of a sample that are copied verbatim from the training text.

    Args:
        text: the sample, its prompt included.
        prompt: what the sample begins with.
        training_ids: the training split, (N,).
        tokenizer: encodes the sample.
    """
    ids, prompt_tokens, tokens = _split_off_prompt(text, prompt, tokenizer)
    spans = copied_spans(ids[prompt_tokens:], training_ids, min_copied(tokenizer))
    shifted = tuple((start + prompt_tokens, end + prompt_tokens) for start, end in spans)
    return Copying(prompt_tokens, tokens, shifted, tokenizer)


def min_copied(tokenizer: Tokenizer) -> int:
    """Return the minimum length of a copied span, in tokens of a vocabulary."""
    is_fine = tokenizer.name in ("characters", "bytes")
    return MIN_COPIED_CHARACTERS if is_fine else MIN_COPIED_TOKENS


def copied_spans(
    token_ids: Tensor, training_ids: Tensor, at_least: int = MIN_COPIED_TOKENS
) -> list[tuple[int, int]]:
    """Return the maximal spans of the tokens (T,) that occur in the training text (N,).

    Each is (start, end) and cannot be extended at either end; spans may overlap. Whatever the
    length of the training text, little of it is in memory.
    """
    sample, training = token_ids.tolist(), training_ids.numpy()
    is_known = np.zeros(max(sample, default=0) + 2, dtype=bool)  # the last: of all other tokens
    is_known[sample] = True
    ends = list(range(len(sample)))  # of the longest span from each start
    for begin in range(0, len(training), SEARCHED):
        text = training[begin : begin + SEARCHED + len(sample)]
        known = is_known.take(text, mode="clip")
        # Where a long enough span may begin: all its tokens are among the sample's.
        count = min(SEARCHED, max(0, len(text) - at_least + 1))
        may_begin = np.logical_and.reduce([known[i : i + count] for i in range(at_least)])
        possible = may_begin.nonzero()[0]
        first = text[possible]
        for start, token_id in enumerate(sample):
            # Positions in the text of the span that begins here; fewer as it grows.
            places, end = possible[first == token_id], start  # (found,)
            while len(places):
                end += 1
                if end == len(sample):
                    break
                places = places[places + end - start < len(text)]
                places = places[text[places + end - start] == sample[end]]
            ends[start] = max(ends[start], end)
    spans: list[tuple[int, int]] = []
    for start, end in enumerate(ends):
        is_longer_to_the_left = bool(spans) and end <= spans[-1][1]
        if end - start >= at_least and not is_longer_to_the_left:
            spans.append((start, end))
    return spans


def _split_off_prompt(text: str, prompt: str, tokenizer: Tokenizer) -> tuple[Tensor, int, int]:
    """Return a sample's token IDs (T,), the prompt's token count, and T."""
    ids = text_to_token_ids(text, tokenizer)[0]  # (T,)
    prompt_ids = text_to_token_ids(prompt, tokenizer)[0]
    common = min(len(ids), len(prompt_ids))
    # The prompt's last token may have merged with the next: "you" and "r" become "your".
    same = (ids[:common] == prompt_ids[:common]).long()
    return ids, int(torch.cumprod(same, dim=0).sum()), len(ids)

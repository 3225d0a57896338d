"""What a model sees of a text: counts of its tokens, windows and batches."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.text.dataset import TokenWindows
from gpt_core.vocabularies import Tokenizer

ENGLISH_TOKENS_PER_CHARACTER = 0.25  # in the bundled story and in The Verdict
MAX_LISTED = 12


@dataclass(frozen=True)
class TokenStatistics:
    """Counts of a text's tokens."""

    characters: int
    tokens: int
    distinct: int  # number of different tokens
    most_frequent: tuple[tuple[int, int], ...]  # (token ID, count)
    longest: tuple[int, ...]  # token IDs, the longest in bytes first

    @property
    def tokens_per_character(self) -> float:
        """Return the tokens per character: more if the vocabulary does not suit the text."""
        return self.tokens / self.characters


def count_tokens(text: str, token_ids: Tensor, tokenizer: Tokenizer) -> TokenStatistics:
    """Count the tokens of a text, given as IDs of shape (N,)."""
    distinct, counts = torch.unique(token_ids, return_counts=True)  # both (distinct,)
    order = torch.sort(counts, descending=True, stable=True).indices[:MAX_LISTED]
    frequent = zip(distinct[order].tolist(), counts[order].tolist(), strict=True)
    lengths = [(-len(tokenizer.decode_single_token_bytes(i)), i) for i in distinct.tolist()]
    longest = [token_id for _, token_id in sorted(lengths)[:MAX_LISTED]]
    return TokenStatistics(
        len(text), len(token_ids), len(distinct), tuple(frequent), tuple(longest)
    )


@dataclass(frozen=True)
class BatchCounts:
    """How the tokens of one split become windows and batches."""

    tokens: int
    windows: int
    batches: int
    left_over_windows: int  # of a last batch that is not full, if it is dropped
    left_over_tokens: int  # after the last window's last target

    @property
    def is_empty(self) -> bool:
        """Tell whether the split gives no batch."""
        return self.batches == 0


def count_batches(
    tokens: int, model: GPTConfig, training: TrainingConfig, drop_last: bool
) -> BatchCounts:
    """Count the windows and batches of a split.

    Args:
        tokens: number of tokens in the split.
        model: its context_length is the length of a window.
        training: gives stride and batch_size.
        drop_last: whether a last batch that is not full is left out, as in training.
    """
    stride = training.stride or model.context_length
    starts = TokenWindows(torch.empty(tokens, device="meta"), model.context_length, stride).starts
    full, rest = divmod(len(starts), training.batch_size)
    used = starts[-1] + model.context_length + 1 if starts else 0
    return BatchCounts(
        tokens,
        len(starts),
        full if drop_last else full + (rest > 0),
        rest if drop_last else 0,
        max(0, tokens - used),
    )

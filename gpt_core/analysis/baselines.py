"""Losses to compare a model's with: counting tokens, counting pairs, and the grammar's floor.

A model whose validation loss is below the unigram's knows how often tokens occur; below the
bigram's, it knows which token follows which. Both smooth by add-k: k is added to every count, so
that what never occurred in the training text is not impossible.

Source: Jurafsky and Martin, "Speech and Language Processing", chapter "N-gram Language Models".
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gpt_core.analysis.run_history import Numbers
from gpt_core.store import Baselines
from gpt_core.text import stories_bits, story_entropy

K_TRIED = (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5)
COUNTED = 4_000_000  # of a longer text, the tokens whose pairs are counted or scored …
PARTS = 16  # … in parts from all over it

Tokens = npt.NDArray[np.integer]
Counts = npt.NDArray[np.int64]


def measure_baselines(
    train_ids: Tensor, val_ids: Tensor, vocab_size: int, token_bytes: Tensor, val_text: str
) -> Baselines:
    """Count the training tokens, (N,), and score the validation tokens, (M,).

    Args:
        train_ids: the training text's token IDs.
        val_ids: the validation text's.
        vocab_size: the number of tokens that the model can predict.
        token_bytes: the UTF-8 bytes of each token, (n_vocab,).
        val_text: the validation text, whose probability is known if it is one of our grammar.
    """
    train: Tokens = train_ids.numpy()
    val: Tokens = np.concatenate(parts_of(val_ids.numpy()))
    num_bytes = int(token_bytes[torch.from_numpy(val).long()].sum())
    floor = entropy = None
    if bits := stories_bits(val_text):
        floor = sum(bits) * math.log(2) / len(val_ids)
        entropy = len(bits) * story_entropy() * math.log(2) / len(val_ids)
    parts = parts_of(train)
    return Baselines(
        unigram_loss(train, val, vocab_size),
        bigram_loss(parts, val, vocab_size),
        num_bytes / len(val),
        floor,
        entropy,
        sum(map(len, parts)) if len(parts) > 1 else None,
    )


def unigram_loss(
    train: Tokens,
    val: Tokens,
    vocab_size: int,
    k: float | None = None,
) -> float:
    """Return the mean −ln p of the validation tokens, each by how often it occurs in training.

    p = (count + k) / (tokens + k · vocab_size). None chooses k by the training text alone.
    """
    counts = np.zeros(vocab_size, dtype=np.int64)  # (vocab_size,)
    for start in range(0, len(train), COUNTED):
        counts += np.bincount(train[start : start + COUNTED], minlength=vocab_size)
    seen = counts[counts > 0]
    k = best_k(seen, np.full_like(seen, len(train)), vocab_size) if k is None else k
    return _mean_nats(counts[val[1:]], np.array(len(train)), k, vocab_size)


def parts_of(train: Tokens) -> list[Tokens]:
    """Return the parts of a text whose pairs are counted or scored: all of it, unless it is long.

    A run waits for the counts: all pairs of 100 MB take six seconds, four million of them one.
    """
    if len(train) <= COUNTED:
        return [train]
    size = COUNTED // PARTS
    starts = np.linspace(0, len(train) - size, PARTS).astype(int)
    return [train[start : start + size] for start in starts]


def bigram_loss(
    parts: Sequence[Tokens],
    val: Tokens,
    vocab_size: int,
    k: float | None = None,
) -> float:
    """Return the mean −ln p of the validation tokens, each by how often it follows the one before.

    p = (count of the pair + k) / (count of its first token + k · vocab_size).
    """
    pairs, counts = count_pairs(parts, vocab_size)  # (P,), (P,), sorted by pair
    firsts = np.bincount(np.concatenate([p[:-1] for p in parts]), minlength=vocab_size)
    k = best_k(counts, firsts[pairs // vocab_size], vocab_size) if k is None else k
    asked = val[:-1].astype(np.int64) * vocab_size + val[1:]  # (M - 1,)
    at = np.searchsorted(pairs, asked).clip(max=len(pairs) - 1)
    found = np.where(pairs[at] == asked, counts[at], 0)
    return _mean_nats(found, firsts[val[:-1]], k, vocab_size)


def count_pairs(parts: Sequence[Tokens], vocab_size: int) -> tuple[Counts, Counts]:
    """Return the different pairs of adjacent tokens, as first · vocab_size + second, and counts.

    Of all vocab_size² pairs only those that occur are kept.
    """
    pairs = np.concatenate([part[:-1].astype(np.int64) * vocab_size + part[1:] for part in parts])
    different, counts = np.unique(pairs, return_counts=True)
    return different, counts


def best_k(counts: Counts, totals: Counts, vocab_size: int) -> float:
    """Return the k under which each training token is best predicted from all the others.

    Leaving a token out lowers its own count by one: that stands in for a text never seen.

    Args:
        counts: how often each event occurs, (P,).
        totals: how often its context does, (P,).
        vocab_size: the number of events in a context.
    """

    def loss(k: float) -> float:
        p = (counts - 1 + k) / (totals - 1 + k * vocab_size)  # (P,)
        return float(-(counts * np.log(p)).sum())

    return min(K_TRIED, key=loss)


def _mean_nats(counts: Counts, totals: Counts, k: float, vocab_size: int) -> float:
    return float(-np.log((counts + k) / (totals + k * vocab_size)).mean())


def describe_baselines(evaluations: Numbers, baselines: Baselines) -> str:
    """Return in words when the model passed each baseline, and which comes next; "" at first.

    In a short text most pairs occur once, and the bigram is worse than the unigram: then being
    below it means nothing.
    """
    if not len(evaluations):
        return ""
    said, val_losses = [], evaluations["val_loss"]  # (N,)
    known = [
        (f"unigram baseline, {baselines.unigram:.3f}", "how often tokens occur", baselines.unigram)
    ]
    if baselines.has_useful_bigram:
        counted = baselines.counted_tokens
        sample = f" (counted in {counted:,} tokens from all over the text)" if counted else ""
        known.append(
            (
                f"bigram baseline, {baselines.bigram:.3f}{sample}",
                "which tokens follow which",
                baselines.bigram,
            )
        )
    for name, knows, loss in known:
        below = (val_losses < loss).nonzero()[0]
        if not len(below):
            said.append(f"Below the {name}, it would know {knows}.")
            break
        step = int(evaluations["global_step"][below[0]])
        said.append(f"Since step {step:,} below the {name}: it knows {knows}.")
    if baselines.floor is not None:
        times = float(val_losses[-1]) / baselines.floor
        said.append(
            f"The floor is {baselines.floor:.3f}, what the grammar itself gives this text; "
            f"validation is at {times:.2f} times that, some of it because a window begins in the "
            "middle of a story, whose names it does not know."
        )
    return " ".join(said)

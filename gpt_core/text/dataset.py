"""Token IDs → windows of (inputs, targets) → batches.

A window's targets are its inputs one token later: a row of T tokens is T prediction tasks.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, Sampler, SequentialSampler

from gpt_core.presets import PRESETS
from gpt_core.system import count

Batch = tuple[Tensor, Tensor]
IGNORE_INDEX = -100  # a target that does not count: PyTorch's default
INDICES = 4_096  # of windows, made into Python's numbers at a time


class TokenWindows(Dataset[Batch]):
    """All windows of ``context_length`` tokens, one every ``stride`` tokens, of a flat tensor.

    Nothing is copied: each item is a pair of views, inputs (T,) and targets (T,).
    """

    def __init__(self, token_ids: Tensor, context_length: int, stride: int) -> None:
        self.token_ids = token_ids
        self.context_length = context_length
        self.starts = range(0, len(token_ids) - context_length, stride)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Batch:
        start = self.starts[index]
        end = start + self.context_length
        return self.token_ids[start:end], self.token_ids[start + 1 : end + 1]


class SeededSampler(Sampler[int]):
    """Draw all windows in a new random order, from a seed that a generator gives.

    It is the order of PyTorch's :class:`~torch.utils.data.RandomSampler`, which takes this seed
    from the global generator, and which makes a list of all indices: 40 bytes for each.
    """

    def __init__(self, windows: TokenWindows, generator: torch.Generator | None) -> None:
        self.windows = windows
        self.generator = generator

    def __len__(self) -> int:
        return len(self.windows)

    def __iter__(self) -> Iterator[int]:
        seed = torch.empty((), dtype=torch.int64).random_(generator=self.generator).item()
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(int(seed)))
        return (index for part in order.split(INDICES) for index in part.tolist())


def create_dataloader(
    token_ids: Tensor,
    batch_size: int = 2,
    context_length: int = 256,
    stride: int | None = None,
    shuffle: bool = True,
    drop_last: bool = True,
    generator: torch.Generator | None = None,
) -> DataLoader[Batch]:
    """Cut token IDs of shape (N,) into batches of inputs (B, T) and targets (B, T), int64.

    Args:
        token_ids: the text, shape (N,).
        batch_size: B, windows per batch.
        context_length: T, tokens per window.
        stride: tokens from one window's start to the next; None means context_length.
        shuffle: draw the windows in a new random order in each epoch.
        drop_last: leave out a last batch that is not full.
        generator: source of the loader's random numbers, which it draws even if it does not
            shuffle; None is torch's global generator. The same seed gives the same order.

    Raises:
        ValueError: the text is too short for a single window.

    Source: the chapter, "Calculating the training and validation set losses".
    """
    windows = TokenWindows(token_ids, context_length, stride or context_length)
    if not windows:
        raise ValueError(
            f"One window takes context_length + 1 = {context_length + 1:,} tokens, and the text "
            f"has {len(token_ids):,}. Choose a shorter context_length or a longer text."
        )
    return DataLoader(
        windows,
        batch_size=batch_size,
        sampler=SeededSampler(windows, generator) if shuffle else SequentialSampler(windows),
        drop_last=drop_last,
        generator=generator,
        collate_fn=_stack_windows,
    )


def _stack_windows(windows: list[Batch]) -> Batch:
    """Stack B windows into inputs (B, T) and targets (B, T), int64."""
    inputs, targets = zip(*windows, strict=True)
    return torch.stack(inputs).long(), torch.stack(targets).long()


def rows_to_batch(rows: Sequence[Tensor]) -> Batch:
    """Stack rows of token IDs, (T + 1,) each, into inputs (B, T) and targets (B, T), int64.

    A row's targets are its IDs one position later. A row shorter than the longest is padded at
    its end, which no earlier position can see, with targets that do not count.

    Raises:
        ValueError: a row has fewer than two tokens, so there is nothing to predict.
    """
    for number, row in enumerate(rows, start=1):
        if len(row) < 2:
            raise ValueError(
                f"Row {number} has {count(len(row), 'token')}: give it at least 2, "
                "one to continue from and one to predict."
            )
    inputs = pad_sequence([row[:-1].long() for row in rows], batch_first=True)  # (B, T)
    targets = pad_sequence(
        [row[1:].long() for row in rows], batch_first=True, padding_value=IGNORE_INDEX
    )  # (B, T)
    return inputs, targets


def fitting_context_length(
    train_tokens: int, val_tokens: int, batch_size: int, stride: int | None = None
) -> int:
    """Return the largest context length that leaves a full training batch and a validation window.

    The result is less than 1 if no length does.
    """
    if stride is None:
        return min((train_tokens - 1) // batch_size, val_tokens - 1)
    return min(train_tokens - 1 - (batch_size - 1) * stride, val_tokens - 1)


def check_splits(
    train_tokens: int,
    val_tokens: int,
    context_length: int,
    batch_size: int,
    train_ratio: float,
    stride: int | None = None,
) -> None:
    """Check that both splits are long enough for a full training batch and a validation window.

    Raises:
        ValueError: one of them is too short; the message says how long the text is, how long
            it must be, and which context length would fit.
    """
    # Windows start at 0, stride, 2·stride, …, and each needs one token after its end.
    step = stride or context_length
    train_needed = (batch_size - 1) * step + context_length + 1
    val_needed = context_length + 1
    if train_tokens >= train_needed and val_tokens >= val_needed:
        return

    fits = fitting_context_length(train_tokens, val_tokens, batch_size, stride)
    total = train_tokens + val_tokens
    total_needed = max(-(-train_needed // train_ratio), -(-val_needed // (1 - train_ratio)))
    advice = "No context length would fit: choose a longer text."
    if fits >= 1:
        presets = [p.name for p in PRESETS.values() if p.model.context_length <= fits]
        named = f" (preset {' or '.join(presets)})" if presets else ""
        advice = f"Choose context_length={fits} or less{named}, or a longer text."
    raise ValueError(
        f"The text is too short for context_length={context_length}: it has "
        f"{count(total, 'token')} ({train_tokens:,} for training, {val_tokens:,} for validation) "
        f"and needs about {total_needed:,.0f} ({train_needed:,} for a training batch of "
        f"{batch_size}, {val_needed:,} for a validation window). {advice}"
    )

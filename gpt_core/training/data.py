"""A text → its two splits as token IDs → the chapter's two loaders."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.system import count
from gpt_core.text import (
    Batch,
    TextFile,
    TokenCache,
    TokenWindows,
    check_splits,
    create_dataloader,
    split_index,
    text_sha256,
)
from gpt_core.vocabularies import (
    Tokenizer,
    encode_corpus,
    encode_pieces,
    text_to_token_ids,
    tokenizer_digest,
)


@dataclass(frozen=True)
class TrainingData:
    """The numbers of tokens of a text's two splits, and their loaders.

    Both loaders draw from ``generator``; None is torch's global one.
    """

    train_tokens: int
    val_tokens: int
    train_loader: DataLoader[Batch]
    val_loader: DataLoader[Batch]
    generator: torch.Generator | None = None
    token_files: tuple[str, str] = ("", "")  # the names of both splits in the token cache

    @property
    def train_ids(self) -> Tensor:
        """Return the token IDs of the training split, (train_tokens,)."""
        return _token_ids(self.train_loader)

    @property
    def val_ids(self) -> Tensor:
        """Return the token IDs of the validation split, (val_tokens,)."""
        return _token_ids(self.val_loader)


def _token_ids(loader: DataLoader[Batch]) -> Tensor:
    windows = loader.dataset
    assert isinstance(windows, TokenWindows)
    return windows.token_ids


def prepare_data(
    text: str | TextFile,
    tokenizer: Tokenizer,
    model_config: GPTConfig,
    config: TrainingConfig,
    cache: TokenCache | None = None,
    on_progress: Callable[[float], None] | None = None,
    generator: torch.Generator | None = None,
) -> TrainingData:
    """Split a text, encode both parts and make the chapter's two loaders.

    The training loader shuffles and drops a last batch that is not full; the validation
    loader does neither.

    Args:
        text: the text to train on.
        tokenizer: GPT-2's, from :func:`gpt_core.vocabularies.tokenizer.get_tokenizer`, or the
            run's own.
        model_config: its context_length is the length of a window.
        config: gives train_ratio, batch_size, stride, end_of_text and probes.
        cache: where a long text's token IDs are saved; a file's always are.
        on_progress: called with the fraction of the text that is encoded, from 0 to 1.
        generator: from which both loaders draw when they are iterated, best the model's own;
            None is torch's global one.

    Raises:
        ValueError: the text is too short for a training batch and a validation window, the
            vocabulary is smaller than the tokenizer's, or a probe is too short or too long.
    """
    train_ids, val_ids = encode_splits(text, tokenizer, config, cache, on_progress)
    check_splits(
        len(train_ids),
        len(val_ids),
        model_config.context_length,
        config.batch_size,
        config.train_ratio,
        config.stride,
    )
    if model_config.vocab_size < tokenizer.n_vocab:
        raise ValueError(
            f"vocab_size={model_config.vocab_size} is too small: the tokenizer's IDs go up to "
            f"{tokenizer.n_vocab - 1}. Choose {tokenizer.n_vocab} or more."
        )
    for probe in config.probes:
        length = text_to_token_ids(probe, tokenizer).shape[1]
        if not 2 <= length <= model_config.context_length + 1:
            raise ValueError(
                f"The probe {probe!r} has {count(length, 'token')}: give it 2 to "
                f"{model_config.context_length + 1}, so that there is a next token to predict, or "
                "choose a longer context_length."
            )
    files = token_files(text, tokenizer, config)
    return load_splits(train_ids, val_ids, model_config, config, generator, files)


def load_splits(
    train_ids: Tensor,
    val_ids: Tensor,
    model_config: GPTConfig,
    config: TrainingConfig,
    generator: torch.Generator | None = None,
    files: tuple[str, str] = ("", ""),
) -> TrainingData:
    """Make the chapter's two loaders of two splits that are encoded; see :func:`prepare_data`."""
    sizes = (config.batch_size, model_config.context_length, config.stride)
    return TrainingData(
        len(train_ids),
        len(val_ids),
        create_dataloader(train_ids, *sizes, True, True, generator),
        create_dataloader(val_ids, *sizes, False, False, generator),
        generator,
        files,
    )


def first_batch(loader: DataLoader[Batch]) -> Batch:
    """Return a text's first windows as a batch of a loader's shape, drawing nothing at random."""
    windows = loader.dataset
    assert isinstance(windows, TokenWindows)
    first = range(min(loader.batch_size or 1, len(windows)))
    batch: Batch = loader.collate_fn([windows[i] for i in first])
    return batch


def copied_ahead(batches: Iterable[Batch], device: str) -> Iterator[Batch]:
    """Yield batches on a CUDA device, the next one being copied while a batch is computed with.

    A copy from pinned memory takes no time of the CPU's. Batches for other devices are yielded as
    they are, none before it is needed.
    """
    if torch.device(device).type != "cuda":
        yield from batches
        return
    waiting: list[Batch] = []
    for inputs, targets in batches:
        pinned = (inputs.pin_memory(), targets.pin_memory())  # (B, T), (B, T)
        waiting.append(
            (pinned[0].to(device, non_blocking=True), pinned[1].to(device, non_blocking=True))
        )
        if len(waiting) > 1:
            yield waiting.pop(0)
    yield from waiting


def encode_splits(
    text: str | TextFile,
    tokenizer: Tokenizer,
    config: TrainingConfig,
    cache: TokenCache | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """Split a text by characters and encode each part: (train_tokens,) and (val_tokens,), int32.

    Those of a file are in 16 bits if they fit. Arguments are those of :func:`prepare_data`.
    """
    splits: list[Tensor] = []
    index = split_index(text, config.train_ratio)
    names = token_files(text, tokenizer, config)
    for name, start, end in zip(names, (0, index), (index, len(text)), strict=True):

        def report(fraction: float, start: int = start, end: int = end) -> None:
            if on_progress:
                on_progress((start + fraction * (end - start)) / len(text))

        if isinstance(text, TextFile):
            assert cache is not None, "the token IDs of a file are written to a cache"
            encode = partial(_encode_file, text, start, end, tokenizer, config.end_of_text, report)
            dtype = np.uint16 if tokenizer.n_vocab <= 2**16 else np.int32
            splits.append(cache.get_large(text.sha256, name, encode, dtype))  # (N,)
        else:
            encode_part = partial(
                encode_corpus, text[start:end], tokenizer, config.end_of_text, report
            )
            ids = cache.get(text_sha256(text), name, encode_part) if cache else encode_part()
            splits.append(ids.int())  # (N,), not copied unless they are in 16 bits
    return splits[0], splits[1]


def _encode_file(
    text: TextFile,
    start: int,
    end: int,
    tokenizer: Tokenizer,
    allow_special: bool,
    report: Callable[[float], None],
) -> Iterator[npt.NDArray[np.int32]]:
    """Yield the token IDs of a part of a file, piece by piece, and report the fraction done."""
    for done, token_ids in encode_pieces(text.pieces(start, end), tokenizer, allow_special):
        yield token_ids  # (n,)
        report(done / max(1, end - start))


def token_files(
    text: str | TextFile, tokenizer: Tokenizer, config: TrainingConfig
) -> tuple[str, str]:
    """Return the names of a text's two splits in the token cache."""
    border, end = split_index(text, config.train_ratio), len(text)
    digest = tokenizer_digest(tokenizer)
    suffix = f"{'' if config.end_of_text else '-plain'}{f'-{digest}' if digest else ''}"
    return f"0-{border}{suffix}", f"{border}-{end}{suffix}"

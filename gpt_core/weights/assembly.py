"""Building a model from foreign tensors, each checked: shared by all formats."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gpt_core.config import GPTConfig
from gpt_core.model import GPTModel, outline
from gpt_core.vocabularies import MAX_VOCABULARY_BYTES, read_tokenizer_json, read_vocabulary
from gpt_core.weights.file_names import CONFIG_FILE, STATE_FILE, TOKENIZER_FILE
from gpt_core.weights.gpt2_config import read_settings_file

MAX_REASON_LENGTH = 200  # characters of an error message that are shown
MAX_LAYERS = 256
HEAD_DIM = 64  # of every GPT-2: for files that do not state the number of heads
VOCAB_SIZE = 50257  # of GPT-2's tokenizer
# A vocabulary is padded to a multiple of 64 or more: 50,304 by nanoGPT, 51,200 by Megatron.
PADDING, MAX_PADDED = 64, 51_200
MAX_PADDING_ROWS = 1024  # of another vocabulary
HEADS = ("n_heads", "n_head", "num_heads", "num_attention_heads")  # names in files of settings
WIDTHS = ("emb_dim", "n_embd", "d_model", "hidden_size")
SETTINGS_FILE = "settings.json"


@dataclass(frozen=True)
class LoadedModel:
    """A model in eval mode, and what was assumed or left out to load it, each a sentence."""

    model: GPTModel
    notes: tuple[str, ...] = ()


def count_layers(names: Iterable[str], block: str) -> int:
    """Return the number of blocks that these parameter names belong to.

    Raises:
        ValueError: the blocks are not numbered from 0 on, or are too many.
    """
    numbers = {int(found[1]) for name in names if (found := re.match(block, name))}
    if numbers != set(range(len(numbers))):  # before a model of that depth is built
        raise ValueError("its blocks are not numbered from 0 on")
    if len(numbers) > MAX_LAYERS:
        raise ValueError(f"it has {len(numbers):,} blocks, and {MAX_LAYERS} are the most")
    return len(numbers)


def other_vocabulary(vocab_size: int, size: int = VOCAB_SIZE) -> str:
    """Return why a model with another vocabulary is refused."""
    whose = "GPT-2's" if size == VOCAB_SIZE else "its"
    return f"its vocabulary has {vocab_size:,} tokens, {whose} tokenizer {size:,}"


def note_padding(vocab_size: int) -> tuple[str, ...]:
    """Return what to say of a vocabulary's rows that belong to no token.

    Raises:
        ValueError: it is not GPT-2's vocabulary, padded or not.
    """
    padding = vocab_size - VOCAB_SIZE
    if padding and not (vocab_size % PADDING == 0 and VOCAB_SIZE < vocab_size <= MAX_PADDED):
        raise ValueError(other_vocabulary(vocab_size))
    return (f"The vocabulary's {padding} rows of padding are left out.",) if padding else ()


class KnownVocabulary(NamedTuple):
    """A model's vocabulary, its number of tokens, and what is to be said of it."""

    vocabulary: str  # a tokenizer.json; "" for GPT-2's
    size: int
    notes: tuple[str, ...]


def find_vocabulary(file: Path, rows: int) -> KnownVocabulary:
    """Return the vocabulary of a model: that in the tokenizer.json beside its weights, or GPT-2's.

    Args:
        file: the weights.
        rows: of their token embedding; more than there are tokens are padding.

    Raises:
        ValueError: the tokenizer is not supported, or the embedding is not of its size.
    """
    beside = file.with_name(TOKENIZER_FILE)
    if not beside.is_file():
        return KnownVocabulary("", VOCAB_SIZE, note_padding(rows))
    with beside.open("rb") as opened:
        data = opened.read(MAX_VOCABULARY_BYTES + 1)
    try:
        vocabulary = read_tokenizer_json(data)
    except ValueError as error:
        with suppress(ValueError):
            note = f"GPT-2's vocabulary is assumed: {error}."
            return KnownVocabulary("", VOCAB_SIZE, (*note_padding(rows), note))
        raise
    size = read_vocabulary(vocabulary).n_vocab
    if not size <= rows < size + MAX_PADDING_ROWS:
        raise ValueError(other_vocabulary(rows, size))
    notes = (f"The vocabulary's {rows - size} rows of padding are left out.",)
    return KnownVocabulary(vocabulary, size, notes if rows > size else ())


def assemble(config: GPTConfig, read: Callable[[str], Tensor], vocabulary: str = "") -> GPTModel:
    """Build a model in eval mode from float32 copies of the tensors that ``read`` returns.

    ``vocabulary`` becomes the model's.

    Raises:
        ValueError: a tensor is of another shape, or holds NaN or infinite values.
    """
    model = outline(config)
    model.vocabulary = vocabulary
    state = {}
    for name, parameter in model.named_parameters():
        tensor = read(name)
        if name in ("tok_emb.weight", "out_head.weight"):
            tensor = tensor[: config.vocab_size]
        if tensor.shape != parameter.shape:
            expected = tuple(parameter.shape)
            raise ValueError(
                f"{name} is of shape {tuple(tensor.shape)}, and should be of {expected}"
            )
        state[name] = tensor.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        extremes = torch.stack(state[name].aminmax())  # needs no copy and passes NaN on
        if not extremes.isfinite().all():
            raise ValueError(f"{name} holds numbers that are not finite (NaN or infinite)")
    model.load_state_dict(state, assign=True)
    return model.eval()


def choose_heads(
    emb_dim: int, stated: int | None, given: int | None, file: Path
) -> tuple[int, tuple[str, ...]]:
    """Return a model's number of attention heads, which its weights do not show, and what to say.

    Args:
        emb_dim: the model's width.
        stated: what the model's own files state, if anything.
        given: what the user states, for files that do not.
        file: the weights; settings beside them are asked next, if they are of a model as wide.

    Raises:
        ValueError: nothing states it, and the width does not imply it.
    """
    if stated is not None or given is not None:
        return stated if stated is not None else given, ()  # type: ignore[return-value]
    for name in (CONFIG_FILE, STATE_FILE, SETTINGS_FILE):
        with suppress(ValueError, OSError):  # it need not belong to the weights
            heads = find_heads(read_settings_file(file.with_name(name)), emb_dim)
            if heads is not None:
                return heads, (f"n_heads={heads} is taken from {name} beside the weights.",)
    if emb_dim % HEAD_DIM:
        raise ValueError(
            f"no file states its number of attention heads, and its width of {emb_dim} does not "
            f'imply it: give n_heads, or put {{"n_heads": …}} in a {CONFIG_FILE} beside it'
        )
    heads = emb_dim // HEAD_DIM
    return heads, (
        f"n_heads={heads} is assumed, a head for each {HEAD_DIM} dimensions: no file states it.",
    )


def find_heads(facts: Mapping[str, Any], emb_dim: int) -> int | None:
    """Return the number of heads that settings state for a model of a width, or None."""
    for settings in (facts, *(value for value in facts.values() if isinstance(value, Mapping))):
        heads = next((settings[name] for name in HEADS if name in settings), None)
        width = next((settings[name] for name in WIDTHS if name in settings), emb_dim)
        if type(heads) is int and width == emb_dim:
            return heads
    return None


def short_reason(error: Exception) -> str:
    """Return an error's message, on one line and without a full stop."""
    words = (str(error) or type(error).__name__).strip().split("\n")[0]
    return words.rstrip(".") if len(words) <= MAX_REASON_LENGTH else f"{words[:MAX_REASON_LENGTH]}…"

"""The files that the book's code saves."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from gpt_core.config import GPTConfig
from gpt_core.model import GPTModel
from gpt_core.weights.assembly import (
    VOCAB_SIZE,
    assemble,
    count_layers,
    default_heads,
    other_vocabulary,
    short_reason,
)


def load_book_checkpoint(path: str | Path, n_heads: int | None = None) -> GPTModel:
    """Load a ``model.pth`` or ``model_and_optimizer.pth`` saved by the book's code.

    Only tensors are read: a file that would run code is refused.

    Args:
        path: the file.
        n_heads: attention heads, which the files do not state; None is one per 64 dimensions, as
            in every GPT-2, or 1 if 64 does not divide their number.

    Raises:
        ValueError: the file is missing, of another kind, damaged, or would run code.

    Source: the chapter, "Loading and saving model weights in PyTorch".
    """
    path = Path(path)
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        state = saved.get("model_state_dict", saved) if isinstance(saved, Mapping) else {}
        # The book's causal masks are buffers; ours has none.
        tensors = {name: value for name, value in state.items() if not name.endswith(".att.mask")}
        if not tensors or not all(isinstance(value, Tensor) for value in tensors.values()):
            raise ValueError("it holds no model weights")
        config = _book_config(tensors, n_heads)

        def read(name: str, expected: tuple[int, ...]) -> Tensor:
            if name not in tensors:
                raise ValueError(f"{name} is missing")
            tensor = tensors[name]
            if tuple(tensor.shape) != expected:
                raise ValueError(f"{name} is of shape {tuple(tensor.shape)}")
            if tensor.untyped_storage().nbytes() < tensor.nbytes:  # a few repeated numbers
                raise ValueError(f"{name} is incomplete")
            return tensor.to(torch.float32)

        return assemble(config, read)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path.name} was not opened: it holds more than weights, and could run code. Save "
            "only model.state_dict() in it."
        ) from error
    except Exception as error:  # a foreign file can raise anything
        raise ValueError(f"{path.name} cannot be loaded: {short_reason(error)}.") from error


def _book_config(tensors: Mapping[str, Tensor], n_heads: int | None) -> GPTConfig:
    """Return the configuration of a book checkpoint, read off its tensors' shapes."""
    if not {"tok_emb.weight", "pos_emb.weight", "trf_blocks.0.att.W_query.weight"} <= set(tensors):
        raise ValueError("it holds no GPTModel of the book")
    vocab_size, emb_dim = tensors["tok_emb.weight"].shape
    if vocab_size != VOCAB_SIZE:
        raise ValueError(other_vocabulary(vocab_size))
    return GPTConfig(
        vocab_size=vocab_size,
        context_length=tensors["pos_emb.weight"].shape[0],
        emb_dim=emb_dim,
        n_heads=default_heads(emb_dim) if n_heads is None else n_heads,
        n_layers=count_layers(tensors, r"trf_blocks\.(\d+)\."),
        qkv_bias="trf_blocks.0.att.W_query.bias" in tensors,
    )

"""Building a model from foreign tensors, each checked: shared by all formats."""

import re
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from gpt_core.config import GPTConfig
from gpt_core.model import GPTModel, outline

MAX_REASON_LENGTH = 200  # characters of an error message that are shown
HEAD_DIM = 64  # of every GPT-2: for files that do not state the number of heads
VOCAB_SIZE = 50257  # of GPT-2's tokenizer, the only one used here


def count_layers(names: Iterable[str], block: str) -> int:
    """Return the number of blocks that these parameter names belong to.

    Raises:
        ValueError: the blocks are not numbered from 0 on.
    """
    numbers = {int(found[1]) for name in names if (found := re.match(block, name))}
    if numbers != set(range(len(numbers))):  # before a model of that depth is built
        raise ValueError("its blocks are not numbered from 0 on")
    return len(numbers)


def other_vocabulary(vocab_size: int) -> str:
    """Return why a model with another vocabulary is refused."""
    return f"its vocabulary has {vocab_size:,} tokens, GPT-2's tokenizer {VOCAB_SIZE:,}"


def assemble(config: GPTConfig, read: Callable[[str, tuple[int, ...]], Tensor]) -> GPTModel:
    """Build a model in eval mode; ``read`` returns the tensor of each name and shape.

    Raises:
        ValueError: a tensor holds NaN or infinite values.
    """
    model = outline(config)
    state = {}
    for name, parameter in model.named_parameters():
        state[name] = read(name, tuple(parameter.shape))
        extremes = torch.stack(state[name].aminmax())  # needs no copy and passes NaN on
        if not extremes.isfinite().all():
            raise ValueError(f"{name} holds numbers that are not finite (NaN or infinite)")
    model.load_state_dict(state, assign=True)
    return model.eval()


def default_heads(emb_dim: int) -> int:
    """Return the number of heads of a GPT-2 of that width, or 1 if HEAD_DIM does not divide it."""
    return emb_dim // HEAD_DIM if emb_dim % HEAD_DIM == 0 else 1


def short_reason(error: Exception) -> str:
    """Return an error's message, on one line and without a full stop."""
    words = (str(error) or type(error).__name__).strip().split("\n")[0]
    return words.rstrip(".") if len(words) <= MAX_REASON_LENGTH else f"{words[:MAX_REASON_LENGTH]}…"

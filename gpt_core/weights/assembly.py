"""A model put together of tensors from elsewhere, each checked: what all formats share."""

import re
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from gpt_core.config import GPTConfig
from gpt_core.model import GPTModel, outline

MAX_REASON_LENGTH = 200  # characters: what is longer is for those who wrote a library
HEAD_DIM = 64  # of every GPT-2: where a file does not say how many heads there are
VOCAB_SIZE = 50257  # GPT-2's tokenizer, which is ours


def count_layers(names: Iterable[str], block: str) -> int:
    """Return how many blocks parameters of these names have."""
    numbers = {int(found[1]) for name in names if (found := re.match(block, name))}
    if numbers != set(range(len(numbers))):  # before a model of that depth is built
        raise ValueError("its blocks are not numbered from 0 on")
    return len(numbers)


def other_vocabulary(vocab_size: int) -> str:
    """Return why a model of another vocabulary is refused."""
    return f"its vocabulary has {vocab_size:,} tokens, GPT-2's tokenizer {VOCAB_SIZE:,}"


def assemble(config: GPTConfig, read: Callable[[str, tuple[int, ...]], Tensor]) -> GPTModel:
    """Build a model of what ``read`` returns for each parameter's name and shape."""
    model = outline(config)
    state = {}
    for name, parameter in model.named_parameters():
        state[name] = read(name, tuple(parameter.shape))
        extremes = torch.stack(state[name].aminmax())  # takes no memory; NaN goes through it
        if not extremes.isfinite().all():
            raise ValueError(f"{name} holds numbers that are none (NaN or infinite)")
    model.load_state_dict(state, assign=True)
    return model.eval()


def default_heads(emb_dim: int) -> int:
    """Return how many heads a GPT-2 of that width has; 1 where that does not come out even."""
    return emb_dim // HEAD_DIM if emb_dim % HEAD_DIM == 0 else 1


def short_reason(error: Exception) -> str:
    """Return what went wrong, in a line and without a full stop."""
    words = (str(error) or type(error).__name__).strip().split("\n")[0]
    return words.rstrip(".") if len(words) <= MAX_REASON_LENGTH else f"{words[:MAX_REASON_LENGTH]}…"

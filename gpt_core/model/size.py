"""How many parameters a model has, and the memory that each takes."""

from dataclasses import replace
from functools import lru_cache

from torch import nn

from gpt_core.config import GPTConfig
from gpt_core.model.gpt import outline

BYTES_PER_PARAMETER = 4  # float32
TRAINED_BYTES_PER_PARAMETER = 12  # the weight and AdamW's two moments


def count_parameters(model: nn.Module) -> int:
    """Return the number of parameters of a model."""
    return sum(parameter.numel() for parameter in model.parameters())


@lru_cache(maxsize=256)  # a form needs it at each redraw
def count_config_parameters(config: GPTConfig) -> int:
    """Return the number of parameters of a model with this configuration.

    All blocks are alike: one is built and counted ``n_layers`` times.
    """
    model = outline(replace(config, n_layers=1))
    return count_parameters(model) + (config.n_layers - 1) * count_parameters(model.trf_blocks)


def count_looked_up(config: GPTConfig) -> int:
    """Return how many parameters are in tables only: looked up, and in no product.

    A tied head's table is in the last product.
    """
    rows = 0 if config.tied_head else config.vocab_size
    if config.positions == "learned":
        rows += config.context_length
    return rows * config.emb_dim

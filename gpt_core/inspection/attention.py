"""Attention weights: how much each token looks at each token before it."""

from collections.abc import Collection

import torch
from torch import Tensor

from gpt_core.inspection.trace import BlockTrace, Trace, check_memory, chosen_layers, trace
from gpt_core.model import GPTModel


@torch.no_grad()
def attention_weights(
    model: GPTModel,
    ids: Tensor,
    *,
    layers: Collection[int] | None = None,
    traced: Trace | None = None,
) -> Tensor:
    """Return each head's attention weights, (n_layers, n_heads, T, T).

    Row i of a head holds the weights with which token i takes in the tokens 0 to i. It sums to 1;
    above the diagonal all weights are 0. The fused kernel that the model runs keeps no weights,
    so they are computed again from the block's own queries and keys.

    Args:
        model: in eval mode.
        ids: one row of token IDs, (1, T).
        layers: counted from 0; None means all.
        traced: the text's :func:`trace`, if there is one already.

    Raises:
        ValueError: as :func:`trace`, there is no such layer, or the weights need too much memory.

    Source: Vaswani et al. (2017), "Attention Is All You Need", section 3.2.1.
    """
    chosen, T = chosen_layers(model.config, layers), ids.shape[-1]
    check_memory("attention", len(chosen) * model.config.n_heads * T * T)
    traced = traced or trace(model, ids)
    return torch.stack([block_weights(traced.blocks[layer]) for layer in chosen])


def block_weights(block: BlockTrace) -> Tensor:
    """Return softmax(QKᵀ / √head_dim) of a block's heads, (n_heads, T, T), later tokens masked."""
    T, head_dim = block.queries.shape[-2:]
    scores = block.queries @ block.keys.mT * head_dim**-0.5  # (n_heads, T, T)
    later = torch.ones(T, T, dtype=torch.bool, device=scores.device).triu(diagonal=1)
    return torch.softmax(scores.masked_fill(later, -torch.inf), dim=-1)  # (n_heads, T, T)

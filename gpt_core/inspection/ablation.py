"""Ablation: a model with some of its parts switched off, and what it predicts then."""

import re
from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from gpt_core.inspection.trace import blocks_of, one_row, target_losses
from gpt_core.model import GPTModel, causal_attention

PART = re.compile(r"trf_blocks\.(\d+)(?:\.(ff|att)(?:\.(\d+))?)?")
POSITIONS = "pos_emb"
REPLACEMENTS = ("zero", "mean")


@dataclass(frozen=True)
class Ablation:
    """A text's losses and probabilities without some of a model's parts."""

    parts: tuple[str, ...]
    replacement: str  # "zero" or "mean"
    loss: float  # the mean over the positions that have a next token, in nats per token
    losses: Tensor  # (T − 1,)
    probas: Tensor  # (T, vocab_size)


@torch.no_grad()
def ablate(
    model: GPTModel,
    ids: Tensor,
    parts: Collection[str] = (),
    *,
    replacement: str = "zero",
) -> Ablation:
    """Return what a model predicts when some of its parts do not contribute.

    Args:
        model: in eval mode; it is not changed.
        ids: one row of token IDs, (1, T).
        parts: ``pos_emb``, what tells positions apart; ``trf_blocks.2``, a whole block;
            ``trf_blocks.2.att`` and ``trf_blocks.2.ff``, its attention and feed-forward;
            ``trf_blocks.2.att.3``, one head. All are counted from 0.
        replacement: what stands in a part's place: ``zero``, nothing; or ``mean``, its mean over
            the text's positions, which takes away only what differs from token to token.

    Raises:
        ValueError: as :func:`trace`, there is only one token, or the model has no such part.

    Source: zero and mean ablation as in Wang et al. (2022), "Interpretability in the Wild".
    """
    row, off = one_row(model, ids), _parse(model, parts)  # (T,)
    if replacement not in REPLACEMENTS:
        raise ValueError(f"replacement={replacement!r} is unknown: choose zero or mean.")
    if len(row) == 1:
        raise ValueError("One token has no next token to be predicted: give at least two.")

    def stand_in(x: Tensor) -> Tensor:
        """Return what stands in the place of x (..., T, numbers)."""
        if replacement == "zero":
            return torch.zeros_like(x)
        return x.mean(dim=-2, keepdim=True).expand_as(x)

    places = torch.arange(len(row), device=row.device)  # (T,)
    x = model.tok_emb(row)  # (T, emb_dim)
    if model.config.positions == "learned":
        positions = model.pos_emb(places)  # (T, emb_dim)
        x = x + (stand_in(positions) if POSITIONS in parts else positions)
    turns = None if POSITIONS in parts else model.rotary_turns(places)
    x = x.unsqueeze(0)  # (1, T, emb_dim)
    for layer, block in enumerate(blocks_of(model)):
        queries, keys, values = block.att.project(block.norm1(x), turns)
        context = causal_attention(queries, keys, values, 0.0)  # (1, n_heads, T, head_dim)
        heads = [number for kind, at, number in off if kind == "head" and at == layer]
        if heads:
            context[:, heads] = stand_in(context[:, heads])
        attention = block.att.out_proj(context.transpose(1, 2).flatten(2))  # (1, T, emb_dim)
        attention = stand_in(attention) if ("att", layer, 0) in off else attention
        x = x + attention if block.residual else attention
        transformed = block.ff(block.norm2(x))  # (1, T, emb_dim)
        transformed = stand_in(transformed) if ("ff", layer, 0) in off else transformed
        x = x + transformed if block.residual else transformed
    logits = model.out_head(model.final_norm(x))[0]  # (T, vocab_size)
    losses = target_losses(logits[:-1], row[1:])  # (T − 1,)
    return Ablation(
        tuple(parts), replacement, losses.mean().item(), losses, torch.softmax(logits, dim=-1)
    )


def _parse(model: GPTModel, parts: Collection[str]) -> set[tuple[str, int, int]]:
    """Return (kind, layer, head) of each part; a whole block is its attention and feed-forward.

    Raises:
        ValueError: the model has no such part.
    """
    config, off = model.config, set()
    for part in parts:
        if part == POSITIONS and config.positions != "none":
            continue
        found = PART.fullmatch(part)
        layer, head = (int(found[1]), int(found[3] or 0)) if found else (-1, -1)
        if not found or layer >= config.n_layers or head >= config.n_heads:
            raise ValueError(
                f"The model has no part {part!r}: name pos_emb, or trf_blocks.LAYER with nothing, "
                f".att, .ff or .att.HEAD after it; layers go from 0 to {config.n_layers - 1}, "
                f"heads from 0 to {config.n_heads - 1}."
            )
        if found[3] is not None:
            if found[2] == "ff":
                raise ValueError(f"{part!r}: a feed-forward has no heads.")
            off.add(("head", layer, head))
        else:
            off |= {(kind, layer, 0) for kind in ("att", "ff") if found[2] in (None, kind)}
    return off

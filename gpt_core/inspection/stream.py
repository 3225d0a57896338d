"""The residual stream: what each part of a GPT writes into it, and what that does to a logit."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpt_core.inspection.trace import Trace, blocks_of, next_targets, trace
from gpt_core.model import GPTModel, LayerNorm


@dataclass(frozen=True)
class ResidualStream:
    """The stream of T tokens, and what each part adds to the logit of each position's target.

    The sum of all contributions of a position is its target's logit.
    """

    norms: Tensor  # (2 · n_layers + 1, T): after the embedding, each attention and feed-forward
    targets: Tensor  # (T,)
    logits: Tensor  # (T,), the targets' logits, float64
    parts: tuple[str, ...]  # the parts' names, as :func:`ablate` takes them where it can
    contributions: Tensor  # (parts, T), float64


@torch.no_grad()
def residual_stream(
    model: GPTModel, ids: Tensor, *, targets: Tensor | None = None, traced: Trace | None = None
) -> ResidualStream:
    """Return the norms of the residual stream and each part's contribution to the target's logit.

    The logit is a scalar product of the normalised stream with the target's row of the output
    head. The final norm divides the stream by its own standard deviation. With this number kept,
    the logit is linear in the stream, and the stream is the sum of what the parts have added: the
    two embeddings, each head, each attention's bias, each feed-forward. The shift of the final
    norm is a part of its own. In a model without residual connections only the last part counts.

    Args:
        model: in eval mode.
        ids: one row of token IDs, (1, T).
        targets: (T,); None takes the next tokens, and at the end the most probable one.
        traced: the text's :func:`trace`, if there is one already.

    Raises:
        ValueError: as :func:`trace`, or the targets do not fit.

    Source: Elhage et al. (2021), "A Mathematical Framework for Transformer Circuits"; direct logit
    attribution as in Wang et al. (2022), "Interpretability in the Wild".
    """
    traced = traced or trace(model, ids)
    streams = traced.streams()  # (2 · n_layers + 1, T, emb_dim)
    final = streams[-1]  # (T, emb_dim)
    last = model.out_head(model.final_norm(final[-1:]))[0]  # (vocab_size,)
    targets = next_targets(model, traced.ids, targets, last)  # (T,)

    head = model.out_head.weight[targets].double()  # (T, emb_dim)
    direction = head  # (T, emb_dim), along which a part's output counts for the logit
    if isinstance(norm := model.final_norm, LayerNorm):
        # logit = head · (scale ⊙ (x − mean(x)) / std(x) + shift) = x · direction + head · shift
        scaled = head * norm.scale.double()  # (T, emb_dim)
        std = (final.double().var(dim=-1, correction=0, keepdim=True) + 1e-5).sqrt()  # (T, 1)
        direction = (scaled - scaled.mean(dim=-1, keepdim=True)) / std

    def along(x: Tensor) -> Tensor:
        return (x.double() * direction).sum(dim=-1)  # (T,)

    found = {"tok_emb": along(traced.token_embeddings)}
    if traced.position_embeddings is not None:
        found["pos_emb"] = along(traced.position_embeddings)
    for layer, (block, done) in enumerate(zip(blocks_of(model), traced.blocks, strict=True)):
        name, out_proj = f"trf_blocks.{layer}", block.att.out_proj
        by_number = done.context.double() * (direction @ out_proj.weight.double())  # (T, emb_dim)
        by_head = by_number.unflatten(-1, (model.config.n_heads, -1)).sum(dim=-1)  # (T, n_heads)
        for number in range(model.config.n_heads):
            found[f"{name}.att.{number}"] = by_head[:, number]
        found[f"{name}.att.out_proj.bias"] = along(out_proj.bias.expand_as(final))
        found[f"{name}.ff"] = along(done.feed_forward)
    if not traced.residual:  # only what the last part wrote is left
        found = {name: value * (name == list(found)[-1]) for name, value in found.items()}
    if isinstance(norm, LayerNorm):
        found["final_norm.shift"] = (head * norm.shift.double()).sum(dim=-1)
    normalised = model.final_norm(final).double()  # (T, emb_dim)
    return ResidualStream(
        streams.norm(dim=-1),
        targets,
        (normalised * head).sum(dim=-1),
        tuple(found),
        torch.stack(list(found.values())),
    )

"""The logit lens: what a GPT would say if it stopped after each of its blocks."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gpt_core.inspection.trace import Trace, check_memory, chosen_layers, next_targets, trace
from gpt_core.model import GPTModel

ROWS = 64  # of the streams that are multiplied with the output head at once


@torch.no_grad()
def logit_lens(
    model: GPTModel,
    ids: Tensor,
    *,
    layers: Collection[int] | None = None,
    traced: Trace | None = None,
) -> Tensor:
    """Return the logits that each block's stream would give, (n_layers, T, vocab_size).

    The final norm and the output head are applied to the stream after each block; after the last
    block these are the model's logits. Early blocks write in directions of their own, which the
    head was not trained to read, so their rows are biased; the tuned lens (Belrose et al., 2023)
    corrects this with a learnt map for each block.

    Args:
        model: in eval mode.
        ids: one row of token IDs, (1, T).
        layers: counted from 0; None means all.
        traced: the text's :func:`trace`, if there is one already.

    Raises:
        ValueError: as :func:`trace`, there is no such layer, or the logits need too much memory.

    Source: nostalgebraist (2020), "interpreting GPT: the logit lens".
    """
    chosen = chosen_layers(model.config, layers)
    check_memory("logit lens", len(chosen) * ids.shape[-1] * model.config.vocab_size)
    traced = traced or trace(model, ids)
    return torch.stack(list(_logits(model, traced, chosen)))


@dataclass(frozen=True)
class LensSummary:
    """The k best tokens after each block, and the targets' probabilities there."""

    layers: tuple[int, ...]  # counted from 0
    best_ids: Tensor  # (n_layers, T, k)
    best_probas: Tensor  # (n_layers, T, k)
    targets: Tensor  # (T,)
    target_probas: Tensor  # (n_layers, T)


@torch.no_grad()
def lens_summary(
    model: GPTModel,
    ids: Tensor,
    k: int = 5,
    *,
    targets: Tensor | None = None,
    layers: Collection[int] | None = None,
    traced: Trace | None = None,
) -> LensSummary:
    """Return what :func:`logit_lens` shows, block by block, so that little memory is needed.

    Args and errors as there; ``k`` best tokens are kept, and ``targets`` (T,) are by default the
    next tokens, at the last position the model's most probable one.
    """
    chosen = chosen_layers(model.config, layers)
    check_memory("output of one layer", ids.shape[-1] * model.config.vocab_size)
    traced = traced or trace(model, ids)
    last = model.out_head(model.final_norm(traced.streams()[-1, -1:]))[0]  # (vocab_size,)
    targets = next_targets(model, traced.ids, targets, last)  # (T,)
    best_ids, best_probas, target_probas = [], [], []
    for logits in _logits(model, traced, chosen):
        # The softmax of the few that are kept: e to the power of each, divided by the sum of all.
        log_sum = logits.logsumexp(dim=-1, keepdim=True)  # (T, 1)
        best = logits.topk(min(k, model.config.vocab_size), dim=-1)  # (T, k)
        best_ids.append(best.indices)
        best_probas.append((best.values - log_sum).exp())
        target_probas.append((logits.gather(-1, targets.unsqueeze(-1)) - log_sum).exp().squeeze(-1))
    return LensSummary(
        tuple(chosen),
        torch.stack(best_ids),
        torch.stack(best_probas),
        targets,
        torch.stack(target_probas),
    )


def _logits(model: GPTModel, traced: Trace, layers: list[int]) -> Iterator[Tensor]:
    """Give the logits (T, vocab_size) after each of the layers.

    A product with the head reads all its weights: on a short text, several layers share one.
    """
    streams = traced.streams()[2::2]  # (n_layers, T, emb_dim)
    together = max(1, ROWS // streams.shape[1])
    for i in range(0, len(layers), together):
        x = streams[layers[i : i + together]]  # (up to together, T, emb_dim)
        yield from model.out_head(model.final_norm(x))  # (T, vocab_size) each

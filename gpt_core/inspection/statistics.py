"""Whether a model's parts learn: their weights, gradients and updates in numbers."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from gpt_core.inspection.trace import blocks_of, trace
from gpt_core.model import GPTModel

BINS = 40


@dataclass(frozen=True)
class Histogram:
    """Counts of values in bins of equal width from ``low`` to ``high``."""

    low: float
    high: float
    counts: Tensor  # (bins,)


@dataclass(frozen=True)
class PartStatistics:
    """One part's weights, and what training does to them; None is what is not known."""

    name: str  # as in the model: "tok_emb", "trf_blocks.0.att"
    weights: Histogram
    gradients: Histogram | None
    updates: Histogram | None  # of the last update
    update_to_weight: float | None  # the update's norm divided by the weights' norm


@dataclass(frozen=True)
class TensorStatistics:
    """The statistics of all parts, and of the stream and the feed-forwards on one row of text."""

    parts: tuple[PartStatistics, ...]
    stream_norms: Tensor | None  # (n_layers + 1,), after the embedding and each block
    silent_units: Tensor | None  # (n_layers,), the fraction of feed-forward units that never fire


@torch.no_grad()
def tensor_statistics(
    model: GPTModel,
    optimizer: Optimizer | None = None,
    ids: Tensor | None = None,
    bins: int = BINS,
    max_values: int | None = None,
) -> TensorStatistics:
    """Return histograms of each part's weights, gradients and updates, and how healthy they look.

    An update of about a thousandth of the weights is usual: far less, and the part hardly learns;
    far more, and it jumps about.

    Args:
        model: in eval mode.
        optimizer: whose state gives the last update, of what AdamW updates; None gives none.
        ids: one row of token IDs, (1, T), for the norms of the stream and the silent units.
        bins: of each histogram.
        max_values: of a part; of more, evenly spaced ones stand for all. None takes all.

    Raises:
        ValueError: as :func:`trace`, for ids.
    """
    parts = []
    for name, parameters in parts_of(model).items():
        numbers = sum(p.numel() for p in parameters)
        # Odd, so that the values are not all of a few columns of a matrix.
        every = (
            1 if max_values is None or numbers <= max_values else (numbers // max_values + 1) | 1
        )
        weights = torch.cat([sampled(p.detach(), every) for p in parameters])
        grads = [sampled(p.grad, every) for p in parameters if p.grad is not None]
        moves = [u for p in parameters if (u := last_update(optimizer, p, every)) is not None]
        update = torch.cat(moves) if len(moves) == len(parameters) else None
        parts.append(
            PartStatistics(
                name,
                histogram(weights, bins),
                histogram(torch.cat(grads), bins) if grads else None,
                None if update is None else histogram(update, bins),
                None if update is None else (update.norm() / weights.norm()).item(),
            )
        )
    if ids is None:
        return TensorStatistics(tuple(parts), None, None)
    traced = trace(model, ids)
    streams = traced.streams()  # (2 · n_layers + 1, T, emb_dim)
    silent = []
    for layer, block in enumerate(blocks_of(model)):
        inside = block.ff.layers[0](block.norm2(streams[2 * layer + 1]))  # (T, 4 * emb_dim)
        # GELU lets through what is positive.
        silent.append((inside <= 0).all(dim=0).float().mean())
    return TensorStatistics(
        tuple(parts), streams[::2].norm(dim=-1).mean(dim=-1), torch.stack(silent)
    )


def parts_of(model: GPTModel) -> dict[str, list[Tensor]]:
    """Return the parameters by part: of a block its attention, feed-forward and norms apart."""
    parts: dict[str, list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        words = name.split(".")
        parts.setdefault(".".join(words[: 3 if words[0] == "trf_blocks" else 1]), []).append(
            parameter
        )
    return parts


def sampled(tensor: Tensor, every: int) -> Tensor:
    """Return every so many-th value of a tensor, (N,)."""
    return tensor.flatten()[::every]


def last_update(optimizer: Optimizer | None, parameter: Tensor, every: int = 1) -> Tensor | None:
    """Return what AdamW's last step added to a parameter, from its moments, (N,).

    None if there was no step, or another optimizer updates the parameter. Of the parameter's
    values, every so many-th is returned.

    Source: Loshchilov, Hutter (2019), "Decoupled Weight Decay Regularization", algorithm 2.
    """
    state = optimizer.state.get(parameter, {}) if optimizer else {}
    if optimizer is None or "exp_avg" not in state or not (step := float(state["step"])):
        return None
    group = next(g for g in optimizer.param_groups if any(parameter is p for p in g["params"]))
    beta1, beta2 = group["betas"]
    mean = sampled(state["exp_avg"], every) / (1 - beta1**step)
    spread = (sampled(state["exp_avg_sq"], every) / (1 - beta2**step)).sqrt_().add_(group["eps"])
    decay = 1 - group["lr"] * group["weight_decay"]
    moved = mean.div_(spread).mul_(-group["lr"])
    # w' = decay · w + moved, so w = (w' − moved) / decay.
    weights = sampled(parameter.detach(), every)
    return moved if decay == 1 else weights - (weights - moved) / decay


def histogram(values: Tensor, bins: int) -> Histogram:
    """Count values in bins of equal width between the smallest and the largest."""
    low, high = values.aminmax()
    counts = torch.histc(values.float(), bins, min=low.item(), max=high.item())
    return Histogram(low.item(), high.item(), counts.long())

"""The gradients of one update: accumulated, checked, clipped."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer

from gpt_core.config import TrainingConfig
from gpt_core.distributed import DistributedGradients, Group
from gpt_core.model import (
    GPTModel,
    autocast,
    calc_loss_batch,
)
from gpt_core.text import Batch

GradientFunction = Callable[[list[Batch], int], Tensor]


def gradient_function(
    model: GPTModel, optimizer: Optimizer, config: TrainingConfig, group: Group
) -> GradientFunction:
    """Return what fills the gradients of an update's batches, given its step, with their loss."""
    if group.is_single:
        return lambda batches, global_step: accumulate_gradients(batches, model, config)
    return DistributedGradients(model, optimizer, config, group)


def accumulate_gradients(batches: list[Batch], model: GPTModel, config: TrainingConfig) -> Tensor:
    """Add up the gradients of the batches' mean loss; return that loss, a scalar.

    Several small batches, one after another, give the gradients of a single large one.
    """
    mean_loss = torch.zeros((), device=config.device)  # or float64, if the loss is
    for input_batch, target_batch in batches:  # (B, T), (B, T)
        with autocast(config):
            loss = calc_loss_batch(input_batch, target_batch, model, config.device)
        (loss / len(batches)).backward()
        mean_loss = mean_loss + loss.detach() / len(batches)
    return mean_loss


def clip_gradients(model: GPTModel, max_grad_norm: float | None, grad_norm: float) -> None:
    """Scale the gradients down so that their norm, now ``grad_norm``, is ``max_grad_norm`` at most.

    None leaves them as they are.

    Source: Pascanu et al. (2013), "On the difficulty of training recurrent neural networks".
    """
    if max_grad_norm is None:
        return
    if grad_norm + 1e-6 <= max_grad_norm:  # PyTorch's function would multiply by exactly 1
        return
    norm = torch.tensor(grad_norm)
    torch.nn.utils.clip_grads_with_norm_(model.parameters(), max_grad_norm, norm)


def finite_grad_norm(
    loss: Tensor, model: GPTModel, learning_rate: float, global_step: int
) -> float:
    """Return the norm of all gradients taken together.

    Raises:
        FloatingPointError: the loss or that norm is not finite.
    """
    norm = torch.nn.utils.get_total_norm(p.grad for p in model.parameters() if p.grad is not None)
    if not (torch.isfinite(loss) and torch.isfinite(norm)):
        raise FloatingPointError(
            f"Step {global_step}: the loss is {loss.item():.4g} and the gradient norm "
            f"{norm.item():.4g}, at learning_rate={learning_rate:g}. The update was not "
            "made. Choose a smaller learning rate, or precision float32."
        )
    return norm.item()

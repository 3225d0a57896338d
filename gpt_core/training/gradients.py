"""The gradients of one update: accumulated, checked, clipped."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from gpt_core.config import TrainingConfig
from gpt_core.distributed import SINGLE, DistributedGradients, Group, choose_shared_loss
from gpt_core.model import CalcLoss, ChosenLoss, GPTModel, autocast, calc_loss_batch, choose_loss
from gpt_core.text import Batch
from gpt_core.training.data import first_batch

GradientFunction = Callable[[list[Batch], int], Tensor]


def gradient_function(
    model: GPTModel,
    optimizer: Optimizer,
    config: TrainingConfig,
    group: Group,
    calc_loss: CalcLoss,
) -> GradientFunction:
    """Return what fills the gradients of an update's batches, given its step, with their loss."""
    if group.is_single:
        return lambda batches, global_step: accumulate_gradients(batches, model, config, calc_loss)
    return DistributedGradients(model, optimizer, config, group, calc_loss)


def choose_training_loss(
    model: GPTModel, train_loader: DataLoader[Batch], config: TrainingConfig, group: Group = SINGLE
) -> ChosenLoss:
    """Return how a run computes the loss of its batches, as :func:`gpt_core.model.choose_loss`.

    Raises:
        ValueError: dropout on a CPU cannot be compiled, or the configuration has TF32, a switch of
            the whole process, and it is off.
        RankLostError: another process has ended, or does not answer.
    """
    if config.tf32 and not torch.backends.cuda.matmul.allow_tf32:
        raise ValueError("tf32=True: train inside gpt_core.model.tf32_products(config).")
    num_batches = config.num_epochs * len(train_loader)
    batch = first_batch(train_loader)
    if group.is_single or not config.compile:
        return choose_loss(model, config, batch, num_batches)
    return choose_shared_loss(model, config, batch, num_batches, group)


def accumulate_gradients(
    batches: list[Batch],
    model: GPTModel,
    config: TrainingConfig,
    calc_loss: CalcLoss = calc_loss_batch,
) -> Tensor:
    """Add up the gradients of the batches' mean loss; return that loss, a scalar.

    Several small batches, one after another, give the gradients of a single large one.
    ``calc_loss`` is ``calc_loss_batch`` or compiled from it.
    """
    mean_loss = torch.zeros((), device=config.device)  # or float64, if the loss is
    for input_batch, target_batch in batches:  # (B, T), (B, T)
        with autocast(config):
            loss = calc_loss(input_batch, target_batch, model, config.device)
        (loss / len(batches)).backward()
        mean_loss = mean_loss + loss.detach() / len(batches)
    return mean_loss


def clip_gradients(model: GPTModel, max_grad_norm: float | None, grad_norm: float) -> None:
    """Scale the gradients down so that their norm, now ``grad_norm``, is ``max_grad_norm`` at most.

    None leaves them as they are, as in the chapter.

    Source: Pascanu et al. (2013), "On the difficulty of training recurrent neural networks".
    """
    if max_grad_norm is None or grad_norm + 1e-6 <= max_grad_norm:
        return  # PyTorch's function would multiply by exactly 1
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

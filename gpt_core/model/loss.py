"""From logits to one number: how badly the model predicts the next token."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpt_core.model.gpt import GPTModel
from gpt_core.model.kernels import linear_cross_entropy
from gpt_core.text import IGNORE_INDEX


def calc_loss_batch(
    input_batch: Tensor, target_batch: Tensor, model: GPTModel, device: torch.device | str
) -> Tensor:
    """Return the mean cross-entropy of one batch (B, T), a scalar tensor, in nats per token."""
    input_batch, target_batch = input_batch.to(device), target_batch.to(device)
    # The same as F.cross_entropy(model(input_batch).flatten(0, 1), target_batch.flatten()), but
    # without several arrays of (B * T, vocab_size), the largest of the step, at the same time.
    x = model.features(input_batch).flatten(0, 1)  # (B * T, emb_dim)
    return linear_cross_entropy(x, model.out_head.weight, target_batch.flatten())


@torch.no_grad()
def predict_batch(
    input_batch: Tensor, target_batch: Tensor, model: GPTModel, device: torch.device | str
) -> tuple[Tensor, Tensor]:
    """Return the loss of :func:`calc_loss_batch`, and the most probable tokens (B, T)."""
    input_batch, target_batch = input_batch.to(device), target_batch.to(device)
    x = model.features(input_batch).flatten(0, 1)  # (B * T, emb_dim)
    predicted_ids = torch.empty_like(target_batch)  # (B, T)
    loss = linear_cross_entropy(
        x, model.out_head.weight, target_batch.flatten(), predicted_ids.view(-1)
    )
    return loss, predicted_ids


def calc_loss_loader(
    data_loader: Iterable[tuple[Tensor, Tensor]],
    model: GPTModel,
    device: torch.device | str,
    num_batches: int | None = None,
) -> float:
    """Return the mean loss over the first ``num_batches`` batches; None means all.

    Raises:
        ValueError: the loader holds no batch.
    """
    losses = []
    for i, (input_batch, target_batch) in enumerate(data_loader):
        if i == num_batches:
            break
        losses.append(calc_loss_batch(input_batch, target_batch, model, device).item())
    if not losses:
        raise ValueError(
            "The loader holds no batch: the text is shorter than one batch of windows. "
            "Choose a shorter context_length or a longer text."
        )
    return sum(losses) / len(losses)


def perplexity(loss: float | Tensor) -> float:
    """Return exp(loss): the number of equally likely tokens that would give the same loss."""
    return float(torch.as_tensor(loss, dtype=torch.float64).exp())


@dataclass(frozen=True)
class LossWalkthrough:
    """Every intermediate result of the six steps from logits to the loss, and the perplexity.

    A row shorter than the others has targets of :data:`IGNORE_INDEX`. The values at these
    positions have no meaning and enter neither the mean nor the loss.
    """

    logits: Tensor  # (B, T, vocab_size)
    probas: Tensor  # (B, T, vocab_size), softmax of the logits: each position sums to 1
    predicted_ids: Tensor  # (B, T), the most probable token of each position
    target_probas: Tensor  # (B, T), p11, p12, …: the probability of the right token
    log_probas: Tensor  # (B, T)
    mean_log_proba: Tensor  # ()
    loss: Tensor  # (), the negative of mean_log_proba
    perplexity: float


@torch.no_grad()
def loss_walkthrough(model: nn.Module, inputs: Tensor, targets: Tensor) -> LossWalkthrough:
    """Compute the six steps from logits to loss for inputs (B, T) and targets (B, T).

    The model should be in eval mode: with dropout on, each call gives other numbers.

    Source: the chapter, "Calculating the text generation loss".
    """
    asked = targets != IGNORE_INDEX  # (B, T), all True if the rows are equally long
    logits = model(inputs)  # (B, T, vocab_size)
    probas = torch.softmax(logits, dim=-1)  # (B, T, vocab_size)
    predicted_ids = torch.argmax(probas, dim=-1)  # (B, T)
    target_ids = targets.masked_fill(~asked, 0).unsqueeze(-1)  # (B, T, 1)
    target_probas = probas.gather(-1, target_ids).squeeze(-1)  # (B, T)
    log_probas = torch.log(target_probas)  # (B, T)
    mean_log_proba = log_probas[asked].mean()  # ()
    loss = -mean_log_proba  # ()
    return LossWalkthrough(
        logits,
        probas,
        predicted_ids,
        target_probas,
        log_probas,
        mean_log_proba,
        loss,
        perplexity(loss),
    )


def loss_in_one_call(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the same loss, a scalar tensor, from a single call of PyTorch.

    Args:
        logits: the model's scores, (B, T, vocab_size).
        targets: the right tokens, (B, T); positions of :data:`IGNORE_INDEX` do not count.
    """
    logits_flat = logits.flatten(0, 1)  # (B * T, vocab_size)
    targets_flat = targets.flatten()  # (B * T,)
    return F.cross_entropy(logits_flat, targets_flat, ignore_index=IGNORE_INDEX)


def target_ranks(logits: Tensor, targets: Tensor) -> Tensor:
    """Return each target's rank among all tokens, 1 for the most probable: (B, T).

    Args:
        logits: the model's scores, (B, T, vocab_size).
        targets: the right tokens, (B, T); at :data:`IGNORE_INDEX` the rank has no meaning.
    """
    target_logits = logits.gather(-1, targets.clamp(min=0).unsqueeze(-1))  # (B, T, 1)
    return (logits > target_logits).sum(dim=-1) + 1  # (B, T)


def binary_cross_entropy(probas: Tensor, labels: Tensor) -> Tensor:
    """Return the mean loss of N yes-or-no guesses, a scalar tensor.

    Args:
        probas: the probability given to "yes", (N,).
        labels: 1 where the answer was yes, else 0, (N,).

    Source: the lecture's L_BCE, with the leading minus that its slide lacks.
    """
    return -(labels * probas.log() + (1 - labels) * (1 - probas).log()).mean()


def categorical_cross_entropy(probas: Tensor, one_hot: Tensor) -> Tensor:
    """Return the mean loss of N guesses among C classes, a scalar tensor.

    With two classes, "no" and "yes", this is :func:`binary_cross_entropy`.

    Args:
        probas: the probability given to each class, (N, C).
        one_hot: 1 at the right class and 0 elsewhere, (N, C).
    """
    return -(one_hot * probas.log()).sum(dim=-1).mean()

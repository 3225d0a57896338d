"""From the model's answer to one number: how badly it predicts the next token."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gpt_core.kernels import linear_cross_entropy
from gpt_core.model import GPTModel


def calc_loss_batch(
    input_batch: Tensor, target_batch: Tensor, model: GPTModel, device: torch.device | str
) -> Tensor:
    """Return the mean cross-entropy of one batch (B, T), a scalar tensor, in nats per token."""
    input_batch, target_batch = input_batch.to(device), target_batch.to(device)
    # The same as F.cross_entropy(model(input_batch).flatten(0, 1), target_batch.flatten()), but
    # without several arrays of (B * T, vocab_size) at once, the largest of the whole step:
    x = model.features(input_batch).flatten(0, 1)  # (B * T, emb_dim)
    return linear_cross_entropy(x, model.out_head.weight, target_batch.flatten())


def calc_loss_loader(
    data_loader: Iterable[tuple[Tensor, Tensor]],
    model: GPTModel,
    device: torch.device | str,
    num_batches: int | None = None,
) -> float:
    """Return the mean loss over the first ``num_batches`` batches; None means over all.

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
    """Return exp(loss): among how many equally likely tokens the model seems to choose."""
    return float(torch.as_tensor(loss, dtype=torch.float64).exp())


@dataclass(frozen=True)
class LossWalkthrough:
    """Every intermediate of the six steps from logits to the loss, and the perplexity."""

    logits: Tensor  # (B, T, vocab_size)
    probas: Tensor  # (B, T, vocab_size), softmax of the logits: each position sums to 1
    predicted_ids: Tensor  # (B, T), the most probable token of each position
    target_probas: Tensor  # (B, T), p11, p12, …: the probability given to the right token
    log_probas: Tensor  # (B, T)
    mean_log_proba: Tensor  # ()
    loss: Tensor  # (), its negative
    perplexity: float


@torch.no_grad()
def loss_walkthrough(model: nn.Module, inputs: Tensor, targets: Tensor) -> LossWalkthrough:
    """Walk the six steps from logits to loss for inputs (B, T) and targets (B, T).

    The model should be in eval mode: with dropout on, each call gives other numbers.

    Source: the chapter, "Calculating the text generation loss".
    """
    logits = model(inputs)  # (B, T, vocab_size)
    probas = torch.softmax(logits, dim=-1)  # (B, T, vocab_size)
    predicted_ids = torch.argmax(probas, dim=-1)  # (B, T)
    target_probas = probas.gather(-1, targets.unsqueeze(-1)).squeeze(-1)  # (B, T)
    log_probas = torch.log(target_probas)  # (B, T)
    mean_log_proba = log_probas.mean()
    loss = -mean_log_proba
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

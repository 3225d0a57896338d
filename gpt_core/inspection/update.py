"""What a single update does to a model."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim import Optimizer

from gpt_core.config import TrainingConfig
from gpt_core.model import GPTModel, autocast, calc_loss_batch
from gpt_core.records import StepRecord, UpdateRecord
from gpt_core.text import Batch


class UpdateInspector:
    """Measure one update: the weights, gradients and losses before and after it.

    The inspector draws nothing random and changes nothing: the run gives the same losses without
    it. During the update, it holds a second copy of the weights in memory.
    """

    def __init__(self, model: GPTModel, optimizer: Optimizer, config: TrainingConfig) -> None:
        self._model = model
        self._optimizer = optimizer
        self._config = config
        self._measured: dict[str, object] = {}

    @contextmanager
    def around(self, batches: list[Batch]) -> Iterator[None]:
        """Measure the update made inside this context, whose gradients are ready on entry."""
        parameters = dict(self._model.named_parameters())
        grads = {name: p.grad for name, p in parameters.items() if p.grad is not None}
        loss_before = self._loss(batches)
        grad_norms = norms_by_part(grads)
        weights_before = {name: p.detach().clone() for name, p in parameters.items()}
        yield
        moved = {name: p.detach() - weights_before[name] for name, p in parameters.items()}
        largest = {name: change.abs().max().item() for name, change in moved.items()}
        weight_norms = norms_by_part(weights_before)
        changes = {part: norm / weight_norms[part] for part, norm in norms_by_part(moved).items()}
        self._measured = {
            "learning_rate": self._optimizer.param_groups[0]["lr"],
            "loss_before": loss_before,
            "loss_after": self._loss(batches),
            "grad_norms": tuple(grad_norms.items()),
            "changes": tuple(changes.items()),
            "largest_change": max(largest.values()),
            "largest_change_in": max(largest, key=lambda name: largest[name]),
        }

    def record(self, step: StepRecord) -> UpdateRecord:
        """Return the measurements of the update that made a step."""
        return UpdateRecord(
            step.global_step,
            step.epoch,
            step.tokens_seen,
            grad_norm=step.grad_norm,
            **self._measured,  # type: ignore[arg-type]
        )

    @torch.no_grad()
    def _loss(self, batches: list[Batch]) -> float:
        """Return the mean loss of the batches, dropout off."""
        self._model.eval()
        with autocast(self._config):
            losses = [
                calc_loss_batch(inputs, targets, self._model, self._config.device).item()
                for inputs, targets in batches
            ]
        self._model.train()
        return sum(losses) / len(losses)


def norms_by_part(tensors: dict[str, Tensor]) -> dict[str, float]:
    """Return the Euclidean norm of each part's tensors together, by the part's name.

    A part is a block (``trf_blocks.0``) or a module outside the blocks (``tok_emb``).
    """
    parts: dict[str, list[Tensor]] = {}
    for name, tensor in tensors.items():
        words = name.split(".")
        parts.setdefault(".".join(words[: 2 if words[0] == "trf_blocks" else 1]), []).append(tensor)
    return {part: torch.nn.utils.get_total_norm(own).item() for part, own in parts.items()}

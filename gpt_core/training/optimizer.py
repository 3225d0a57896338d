"""AdamW, as in the chapter, and Muon."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import AdamW, Muon, Optimizer

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.distributed import SINGLE, Group, create_sharded_adamw
from gpt_core.model import GPTModel, outline

MUON_STEPS = 5  # of the series that makes a matrix orthogonal: PyTorch's default


class MuonWithAdamW(Optimizer):
    """Muon for the blocks' matrices; AdamW for embeddings, output head and vectors.

    Muon replaces the mean gradient of a matrix by the nearest orthogonal one, so that rare
    directions move as much as frequent ones. Its updates are scaled to the size of AdamW's, so that
    one learning rate serves both.

    Source: Jordan et al. (2024), "Muon: An optimizer for hidden layers in neural networks"; the
    scale: Liu et al. (2025), "Muon is Scalable for LLM Training", section 2.2.
    """

    def __init__(self, matrices: list[Tensor], adamw: AdamW, config: TrainingConfig) -> None:
        self.adamw = adamw
        self.muon = Muon(
            matrices,
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            ns_steps=MUON_STEPS,
            adjust_lr_fn="match_rms_adamw",
        )
        super().__init__([*self.muon.param_groups, *adamw.param_groups], {})
        # Created now, as AdamW's moments are below.
        for parameter in matrices:
            self.state[parameter] = {"momentum_buffer": torch.zeros_like(parameter)}
        # The three share groups and state: each is changed in one place.
        self.state.update(adamw.state)
        self.muon.state = adamw.state = self.state

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update all parameters from their gradients."""
        self.muon.step()
        self.adamw.step()


def block_matrices(model: GPTModel) -> list[Tensor]:
    """Return the matrices of a model's blocks, which Muon updates."""
    return [p for p in model.trf_blocks.parameters() if p.ndim == 2]


def count_muon_operations(config: GPTConfig) -> int:
    """Return the operations of one update by Muon, besides those that AdamW makes too.

    For a matrix (m, n), m the smaller, each of its steps multiplies (m, n) by (n, m), (m, m) by
    (m, m) and (m, m) by (m, n).
    """
    sizes = (sorted(matrix.shape) for matrix in block_matrices(outline(config)))
    return sum(MUON_STEPS * (4 * m * m * n + 2 * m**3) for m, n in sizes)


def create_optimizer(model: GPTModel, config: TrainingConfig, group: Group = SINGLE) -> Optimizer:
    """Return the optimizer of a configuration: AdamW as in the chapter, or Muon with it.

    AdamW is PyTorch's fused form: one pass over the weights. The model must be on its device
    already. Several processes can divide AdamW's moments among them.
    """
    parameters = list(model.parameters())
    if config.shard_optimizer and not group.is_single:
        return create_sharded_adamw(parameters, config, group)
    matrices = block_matrices(model) if config.optimizer == "muon" else []
    by_muon = set(matrices)
    parameters = [p for p in parameters if p not in by_muon]
    adamw = AdamW(
        parameters,
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        weight_decay=config.weight_decay,
        fused=True,
    )
    # Create the moments now, with the values that the first step would give them. There they
    # would take the memory that the step's temporaries have just freed and need again.
    for parameter in parameters:
        adamw.state[parameter] = {
            "step": torch.zeros((), device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return MuonWithAdamW(matrices, adamw, config) if matrices else adamw

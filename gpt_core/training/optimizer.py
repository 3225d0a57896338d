"""AdamW, as in the chapter."""

import torch
from torch.optim import AdamW

from gpt_core.config import TrainingConfig
from gpt_core.model import (
    GPTModel,
)


def create_optimizer(model: GPTModel, config: TrainingConfig) -> AdamW:
    """Return AdamW as in the chapter, in PyTorch's fused form: one pass over the weights.

    The model must be on its device already.
    """
    optimizer = AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    # Create the moments now, with the values that the first step would give them. There they
    # would take the memory that the step's temporaries have just freed and need again.
    for parameter in model.parameters():
        optimizer.state[parameter] = {
            "step": torch.zeros((), device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer

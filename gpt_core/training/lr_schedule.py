"""How many updates a run makes, and the learning rate of each."""

import math

from torch.optim import Optimizer

from gpt_core.config import TrainingConfig


def steps_in_run(batches_per_epoch: int, config: TrainingConfig) -> int:
    """Return the number of updates in a run: each uses ``accumulation_steps`` batches.

    The last update of an epoch may use fewer.
    """
    return config.num_epochs * -(-batches_per_epoch // config.accumulation_steps)


def learning_rate_at(global_step: int, total_steps: int, config: TrainingConfig) -> float:
    """Return the learning rate of an update.

    It rises linearly over ``warmup_steps`` updates to ``learning_rate``. Then it stays constant
    or, with the cosine schedule, falls along half a cosine to ``min_learning_rate`` at the run's
    last update.

    Args:
        global_step: the number of the update, counted from 0.
        total_steps: the number of updates in the run.
        config: gives the schedule.

    Source: Loshchilov & Hutter (2017), "SGDR", equation 5 without restarts; warm-up as in
    Goyal et al. (2017), "Accurate, Large Minibatch SGD", section 2.2.
    """
    if global_step < config.warmup_steps:
        return config.learning_rate * (global_step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    decaying = max(1, total_steps - 1 - config.warmup_steps)
    fraction = min(1.0, (global_step - config.warmup_steps) / decaying)  # 0 to 1
    height = (1 + math.cos(math.pi * fraction)) / 2  # 1 to 0
    return config.min_learning_rate + height * (config.learning_rate - config.min_learning_rate)


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """Set the learning rate of all parameters, from the next update on."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate

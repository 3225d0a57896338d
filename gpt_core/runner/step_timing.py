"""How long a run will take, measured on a few of its steps before it starts."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import torch

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import autocast, build_model, calc_loss_batch, generate, resolve_auto
from gpt_core.runner.training_runner import TrainingRunner
from gpt_core.training import (
    TrainingData,
    accumulate_gradients,
    create_optimizer,
    get_device_random_state,
    set_device_random_state,
)

WARM_UP_STEPS, MEASURED_STEPS = 1, 3
SAMPLE_TOKENS = 5  # generated to time one token of a sample


@dataclass(frozen=True)
class StepTiming:
    """The seconds that the parts of a run take while nothing else trains."""

    step: float  # one optimizer update
    evaluation: float  # all its batches, of both splits
    sample: float  # the text generated after an epoch

    def of_the_run(self, config: TrainingConfig, total_steps: int) -> float:
        """Return the seconds that a whole run takes, without checkpoints."""
        evaluations = -(-total_steps // config.eval_freq)
        return (
            total_steps * self.step
            + evaluations * self.evaluation
            + config.num_epochs * self.sample
        )


def time_steps(
    runner: TrainingRunner, model_config: GPTConfig, config: TrainingConfig, data: TrainingData
) -> "Future[StepTiming]":
    """Time a few steps of a configuration in the training thread.

    A running run waits meanwhile, between two of its steps. The state of a GPU's generator is
    restored, so its losses do not change.

    Raises:
        ValueError: the device is not available, or the runner is closing.
    """
    config = resolve_auto(config)  # as for the run itself
    return runner.submit(partial(_measure, model_config, config, data, time.perf_counter))


def _measure(
    model_config: GPTConfig,
    config: TrainingConfig,
    data: TrainingData,
    timer: Callable[[], float],
) -> StepTiming:
    device = torch.device(config.device)
    random_state = get_device_random_state(device)
    try:
        model = build_model(model_config, config.seed).to(device).train()
        optimizer = create_optimizer(model, config)
        input_batch, target_batch = next(iter(data.train_loader))  # (B, T), (B, T)
        batches = [(input_batch, target_batch)] * config.accumulation_steps

        def step() -> None:
            optimizer.zero_grad()
            loss = accumulate_gradients(batches, model, config)
            optimizer.step()
            loss.item()  # on a GPU: wait for it

        for _ in range(WARM_UP_STEPS):
            step()
        began = timer()
        for _ in range(MEASURED_STEPS):
            step()
        step_seconds = (timer() - began) / MEASURED_STEPS

        model.eval()
        began = timer()
        with torch.no_grad(), autocast(config):
            calc_loss_batch(input_batch, target_batch, model, device).item()
        batch_seconds = timer() - began
        began = timer()
        with autocast(config):
            generate(model, input_batch[:1, :4].to(device), SAMPLE_TOKENS)
        token_seconds = (timer() - began) / SAMPLE_TOKENS
    finally:
        set_device_random_state(device, random_state)
    evaluated = min(config.eval_iter, len(data.train_loader)) + min(
        config.eval_iter, len(data.val_loader)
    )
    return StepTiming(step_seconds, evaluated * batch_seconds, config.sample_tokens * token_seconds)

"""How long a run will take: estimated for any settings, or measured on a few of its steps."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import torch

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import (
    autocast,
    build_model,
    calc_loss_batch,
    count_config_parameters,
    count_looked_up,
    generate,
    get_device_random_state,
    measure_memory,
    measure_products,
    resolve_auto,
    set_device_random_state,
    tf32_products,
)
from gpt_core.runner.training_runner import TrainingRunner
from gpt_core.store import RunSummary
from gpt_core.system import describe_machine
from gpt_core.text import count_batches
from gpt_core.training import (
    TrainingData,
    accumulate_gradients,
    count_muon_operations,
    create_optimizer,
    steps_in_run,
)

WARM_UP_STEPS, MEASURED_STEPS = 1, 3
SAMPLE_TOKENS = 5  # generated to time one token of a sample
# How often a step, or an evaluation, reads or writes each weight and each logit: fitted to the
# steps of the three presets on one CPU, in both precisions (docs/LOG.md, issue T).
STEP_PASSES, EVALUATION_PASSES = 25, 8
ENOUGH_STEPS = 20  # of a recorded run, so that its speed counts


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


def estimate_seconds(
    model_config: GPTConfig,
    config: TrainingConfig,
    train_tokens: int,
    val_tokens: int,
    recorded: Iterable[RunSummary] = (),
) -> float | None:
    """Return the seconds that a run will take, without trying it; None if the text is too short.

    The operations and bytes of its steps are counted, at the rates that were measured once in this
    process: right within a factor of about two on an idle machine. If runs are recorded that
    trained on a machine like this one, the newest tells how much slower it really is.

    Raises:
        ValueError: the device is not available.
    """
    config = resolve_auto(config)
    batches = count_batches(train_tokens, model_config, config, drop_last=True).batches
    val_batches = count_batches(val_tokens, model_config, config, drop_last=False).batches
    if not batches or not val_batches:
        return None
    seconds = _count_seconds(model_config, config, batches, val_batches)
    machine = describe_machine(torch.get_num_threads(), config.device)
    for summary in recorded:
        run = summary.run
        then = run.training_config
        if (
            summary.steps_done >= ENOUGH_STEPS
            and run.versions == machine
            and (then.device, then.precision) == (config.device, config.precision)
        ):
            counts = [
                count_batches(tokens, run.model_config, then, drop_last=drops).batches
                for tokens, drops in ((run.train_tokens, True), (run.val_tokens, False))
            ]
            whole = _count_seconds(run.model_config, then, *counts)
            return seconds * summary.seconds / (whole * summary.steps_done / run.total_steps)
    return seconds


def _count_seconds(
    model_config: GPTConfig, config: TrainingConfig, batches: int, val_batches: int
) -> float:
    """Return the seconds of a whole run, by its operations and bytes."""
    evaluated = min(config.eval_iter, batches) + min(config.eval_iter, val_batches)
    timing = _estimate(model_config, config, evaluated)
    return timing.of_the_run(config, steps_in_run(batches, config))


def _estimate(model_config: GPTConfig, config: TrainingConfig, evaluated: int) -> StepTiming:
    """Count the work of a step, an evaluation and a sample, at this machine's measured rates."""
    products = 1e9 * measure_products(config.device)[config.precision]  # per second
    memory = 1e9 * measure_memory(config.device)  # bytes per second
    parameters = count_config_parameters(model_config)
    vocab_size, context_length = model_config.vocab_size, model_config.context_length
    tokens = config.batch_size * context_length
    multiplied = parameters - count_looked_up(model_config)
    # A forward pass: two operations for each weight and token, and attention's two products.
    attention = 4 * model_config.n_layers * context_length * model_config.emb_dim
    forward = (2 * multiplied + attention) * tokens
    logits = 4 * tokens * vocab_size  # bytes

    batch = 3 * forward / products + STEP_PASSES * logits / memory  # forward and backward
    update = STEP_PASSES * 4 * parameters / memory
    if config.optimizer == "muon":
        update += count_muon_operations(model_config) / products
    evaluation = evaluated * (forward / products + EVALUATION_PASSES * logits / memory)
    token = EVALUATION_PASSES * 4 * multiplied / memory
    step = config.accumulation_steps * batch + update
    return StepTiming(step, evaluation, config.sample_tokens * token)


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
            with tf32_products(config):
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

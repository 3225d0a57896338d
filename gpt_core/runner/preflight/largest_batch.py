"""The largest batch that fits into a GPU's memory, found by trying."""

import gc
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import torch

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import (
    build_model,
    get_device_random_state,
    resolve_auto,
    set_device_random_state,
    tf32_products,
)
from gpt_core.runner.training_runner import TrainingRunner
from gpt_core.training import accumulate_gradients, create_optimizer

MAX_BATCH = 1024  # rows; more bring a GPU nothing


def largest_batch(try_batch: Callable[[int], object], at_most: int = MAX_BATCH) -> int:
    """Return the largest batch size that can be tried without running out of memory; 0 if none.

    Sizes are doubled until one fails; then the interval is halved.

    Args:
        try_batch: computes with a batch of a size, and raises torch.OutOfMemoryError.
        at_most: the largest size of interest.
    """
    fits, fails = 0, 1
    while fails <= at_most and _fits(try_batch, fails):
        fits, fails = fails, 2 * fails
    fails = min(fails, at_most + 1)
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if _fits(try_batch, middle):
            fits = middle
        else:
            fails = middle
    return fits


def find_largest_batch(
    runner: TrainingRunner,
    model_config: GPTConfig,
    config: TrainingConfig,
    at_most: int = MAX_BATCH,
) -> "Future[int]":
    """Find the largest batch_size of a configuration in the training thread; 0 if none fits.

    Running runs wait meanwhile, and what they hold of the memory is not counted as free. A step is
    tried uncompiled, which takes the most memory.

    Raises:
        ValueError: the device is not available, or the runner is closing.
    """
    return runner.submit(partial(_find, model_config, resolve_auto(config), at_most))


def _find(model_config: GPTConfig, config: TrainingConfig, at_most: int) -> int:
    device = torch.device(config.device)
    random_state = get_device_random_state(device)

    try:
        model = build_model(model_config, config.seed).to(device).train()
        optimizer = create_optimizer(model, config)

        def try_batch(size: int) -> None:
            optimizer.zero_grad()
            ids = torch.zeros(size, model_config.context_length, dtype=torch.int64)  # (B, T)
            with tf32_products(config):
                loss = accumulate_gradients([(ids, ids)], model, config)
            optimizer.step()
            loss.item()  # wait for it

        return largest_batch(try_batch, at_most)
    except torch.OutOfMemoryError:  # by the model alone
        return 0
    finally:
        set_device_random_state(device, random_state)


def _fits(try_batch: Callable[[int], object], size: int) -> bool:
    """Tell whether a batch of a size can be computed with; what it took is free afterwards."""
    try:
        try_batch(size)
    except torch.OutOfMemoryError:
        return False
    finally:
        gc.collect()  # the model, and what the error's traceback held
        torch.cuda.empty_cache()
    return True

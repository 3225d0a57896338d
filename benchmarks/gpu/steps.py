"""The models, the settings and the steps that all parts measure, and how they are timed."""

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import build_model, calc_loss_batch, tf32_products
from gpt_core.model.compilation import compile_loss
from gpt_core.presets import GPT2_CONFIGS
from gpt_core.training import accumulate_gradients, create_optimizer
from gpt_core.training.gradients import clip_gradients, finite_grad_norm

TINY = GPTConfig(
    vocab_size=256, context_length=16, emb_dim=16, n_heads=2, n_layers=1, drop_rate=0.0
)
WARM_UP, STEPS = 3, 10


@dataclass(frozen=True)
class Options:
    """What is measured where."""

    device: str
    is_tiny: bool
    is_quick: bool
    seconds: float  # for the part


@dataclass(frozen=True)
class Case:
    """A step to be timed."""

    size: str
    precision: str  # float32, tf32 or bfloat16
    is_compiled: bool
    batch_size: int


def shape(size: str, options: Options) -> GPTConfig:
    """Return GPT-2's shape of a size, its head tied and dropout 0, as the peers have it."""
    if options.is_tiny:
        return replace(TINY, tied_head=True, initialization="gpt2")
    config = GPT2_CONFIGS[size]
    return replace(config, drop_rate=0.0, qkv_bias=False, tied_head=True, initialization="gpt2")


def settings(precision: str, batch_size: int, options: Options) -> TrainingConfig:
    """Return the settings of a timed step."""
    return TrainingConfig(
        batch_size=batch_size,
        precision="bfloat16" if precision == "bfloat16" else "float32",
        tf32=precision == "tf32" and options.device == "cuda",
        device=options.device,
        max_grad_norm=1.0,
        beta2=0.95,
        learning_rate=6e-4,
    )


def token_batches(config: GPTConfig, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches (B, T) of random tokens on the CPU, endlessly: every tenth is the same."""
    generator = torch.Generator().manual_seed(0)
    sizes = (10, batch_size, config.context_length + 1)
    ids = torch.randint(config.vocab_size, sizes, generator=generator)
    while True:
        for rows in ids:
            yield rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


def our_step(
    model_config: GPTConfig, config: TrainingConfig, is_compiled: bool
) -> Callable[[Tensor, Tensor], float]:
    """Return one update as ``gpt_core.train`` makes it, its checks included."""
    model = build_model(model_config, config.seed).to(config.device).train()
    optimizer = create_optimizer(model, config)
    calc_loss = compile_loss() if is_compiled else calc_loss_batch

    def step(inputs: Tensor, targets: Tensor) -> float:
        optimizer.zero_grad()
        with tf32_products(config):
            loss = accumulate_gradients([(inputs, targets)], model, config, calc_loss)
        norm = finite_grad_norm(loss, model, config.learning_rate, 0)
        clip_gradients(model, config.max_grad_norm, norm)
        optimizer.step()
        return loss.item()

    return step


def time_step(
    step: Callable[[Tensor, Tensor], float],
    batches: Iterator[tuple[Tensor, Tensor]],
    warm_up: int = WARM_UP,
    steps: int = STEPS,
) -> float:
    """Return the median seconds of a step, which ends when its loss is on the CPU."""
    seconds = []
    for _ in range(warm_up + steps):
        began = time.perf_counter()
        step(*next(batches))
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[warm_up:])


def peak_memory(device: str) -> float | None:
    """Return the most that PyTorch has allocated on the GPU, in GB."""
    return torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else None


@contextmanager
def freed(device: str) -> Iterator[None]:
    """Count the GPU's memory anew, and free it afterwards."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        yield
    finally:
        torch.compiler.reset()
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()


def gpu_name(device: str) -> str:
    """Return the GPU's name, or "cpu"."""
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"

"""The device and the precision, chosen for this machine."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor, nn

from gpt_core.config import TrainingConfig

WORTH_IT = 1.3  # bfloat16 rounds: it is chosen if its products are this many times as fast
TOKENS, EMB_DIM = 512, 768  # the chapter's batch, through a feed-forward layer
REPEATS = 5
MEMORY_FLOATS = 16_000_000  # 64 MB: more than a cache holds


def resolve_auto(config: TrainingConfig) -> TrainingConfig:
    """Return the config with each ``auto`` replaced by the choice for this machine.

    Device: cuda, else mps, else cpu. Precision: float32, unless the device multiplies bfloat16
    matrices clearly faster, as GPUs do and some CPUs.

    Raises:
        ValueError: the device is not available on this machine, or has no TF32.
    """
    if config.device == "auto":
        config = replace(config, device=best_device())
    check_device(config.device)
    if config.tf32 and config.device != "cuda":
        raise ValueError(
            f"tf32=True changes products on cuda only, and the model computes on {config.device}: "
            "choose tf32=False."
        )
    if config.precision != "auto":
        return config
    rates = measure_products(config.device)
    is_faster = rates["bfloat16"] > WORTH_IT * rates["float32"]
    return replace(config, precision="bfloat16" if is_faster else "float32")


def autocast(config: TrainingConfig) -> AbstractContextManager[object]:
    """Return the context in which matrix products run in bfloat16, if the precision says so.

    Weights, gradients and the optimizer's moments stay float32.
    """
    reduced = config.precision == "bfloat16"
    return torch.autocast(config.device, dtype=torch.bfloat16, enabled=reduced)


@contextmanager
def tf32_products(config: TrainingConfig) -> Iterator[None]:
    """Let CUDA multiply float32 matrices in TF32 inside this context, if the configuration says so.

    It is a switch of the whole process: of others' products only those made meanwhile change.
    """
    products = torch.backends.cuda.matmul
    before = products.allow_tf32
    if config.tf32:
        products.allow_tf32 = True
    try:
        yield
    finally:
        if config.tf32:
            products.allow_tf32 = before


def best_device() -> str:
    """Return the fastest kind of device on this machine."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def training_devices() -> tuple[str, ...]:
    """Return the devices on which runs can train at the same time: each GPU, or else one."""
    count = torch.cuda.device_count()
    return tuple(f"cuda:{i}" for i in range(count)) if count > 1 else (best_device(),)


def check_device(device: str) -> None:
    """Raise ValueError unless this machine has the device."""
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available[device]:
        usable = ", ".join(name for name, there in available.items() if there)
        raise ValueError(f"device={device!r} is not available on this machine: choose {usable}.")


def require_device(model: nn.Module, device: str) -> None:
    """Raise ValueError unless a model is on a device of this kind."""
    actual, wanted = next(model.parameters()).device.type, torch.device(device).type
    if actual != wanted:
        raise ValueError(
            f"The model is on {actual}, but device={device!r}: move it there with model.to(…) "
            "before its optimizer is made, or choose the other device."
        )


@cache  # measured once per process, so that the choice does not vary with the load
def measure_products(device: str) -> dict[str, float]:
    """Multiply one pair of matrices in each precision; return the rates in GFLOP per second.

    A precision that the device does not support has the rate 0.
    This takes some tens of milliseconds and draws nothing from the global random generator.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(TOKENS, EMB_DIM, generator=generator).to(device)
    weight = torch.randn(4 * EMB_DIM, EMB_DIM, generator=generator).to(device)
    precisions = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    pairs = {name: (x.to(dtype), weight.to(dtype)) for name, dtype in precisions.items()}
    for pair in pairs.values():
        _seconds(*pair)  # warm-up
    # In turns, so that another program's load slows both precisions.
    rounds = [[_seconds(*pair) for pair in pairs.values()] for _ in range(REPEATS)]
    operations = 2 * TOKENS * EMB_DIM * 4 * EMB_DIM
    shortest = map(min, zip(*rounds, strict=True))
    return {name: operations / s / 1e9 for name, s in zip(pairs, shortest, strict=True)}


@cache  # as above
def measure_memory(device: str) -> float:
    """Add one large vector to another; return the rate in GB per second.

    This takes some tens of milliseconds, and draws nothing at random.
    """
    x, y = (torch.ones(MEMORY_FLOATS, device=device) for _ in range(2))
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        x.add_(y)[0].item()  # .item() waits for the device
        seconds.append(time.perf_counter() - began)
    return 3 * 4 * MEMORY_FLOATS / min(seconds) / 1e9  # two are read and one is written


def _seconds(x: Tensor, weight: Tensor) -> float:
    """Return the seconds that ``x @ weight.T`` takes; infinity if the device cannot compute it."""
    began = time.perf_counter()
    try:
        (x @ weight.T)[0, 0].item()  # .item() waits for the device
    except (RuntimeError, TypeError):
        return math.inf
    return time.perf_counter() - began

"""Measure two things by turns, A B A B …: on shared machines only the ratio means something."""

import json
import platform
import statistics
from collections.abc import Callable

import torch


def measure_pairs(a: Callable[[], float], b: Callable[[], float], pairs: int) -> dict[str, float]:
    """Measure A and B by turns; return both medians and the median of their ratios B / A."""
    measured = [(a(), b()) for _ in range(pairs)]
    return {
        "a": statistics.median(x for x, _ in measured),
        "b": statistics.median(y for _, y in measured),
        "ratio": statistics.median(y / x for x, y in measured),
    }


def print_result(**result: object) -> None:
    """Print the last line of a benchmark: one JSON object, with what machine it ran on."""
    machine = {
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    print(json.dumps(result | {"machine": machine}))

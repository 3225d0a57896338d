"""Measure two things by turns, A B A B …: on shared machines only the ratio means something."""

import json
import platform
import statistics
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import torch

HISTORY = Path(__file__).parent / "history.jsonl"


def measure_pairs(a: Callable[[], float], b: Callable[[], float], pairs: int) -> dict[str, float]:
    """Measure A and B by turns; return both medians and the median of their ratios B / A."""
    measured = [(a(), b()) for _ in range(pairs)]
    return {
        "a": statistics.median(x for x, _ in measured),
        "b": statistics.median(y for _, y in measured),
        "ratio": statistics.median(y / x for x, y in measured),
    }


def print_result(**result: object) -> None:
    """Print the last line of a benchmark, one JSON object, and add it to the history."""
    result["machine"] = {
        "machine": platform.machine(),
        "cpu": _cpu_name(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    dated = {"date": date.today().isoformat(), "commit": _commit()} | result
    with HISTORY.open("a") as history:
        history.write(json.dumps(dated) + "\n")
    print(json.dumps(result))


def _commit() -> str:
    """Return the commit that is checked out; "" in a copy without git."""
    try:
        command = ["git", "rev-parse", "--short", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def _cpu_name() -> str:
    """Return what the system calls the CPU, and the vector instructions that PyTorch uses."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
        has_bfloat16 = any("avx512_bf16" in line or "amx_bf16" in line for line in lines)
    except (OSError, StopIteration):
        name, has_bfloat16 = platform.processor(), False
    words = [name, torch.backends.cpu.get_cpu_capability()]
    return ", ".join([*words, "bfloat16 instructions"] if has_bfloat16 else words)

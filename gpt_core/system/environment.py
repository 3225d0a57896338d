"""The machine: what of it may alter a resumed run's numbers, and which thread computes first."""

import os
import platform
import sys
import threading


def describe_machine(threads: int, device: str = "cpu") -> dict[str, str]:
    """Return the properties of the machine that decide whether a run repeats bit for bit.

    On cuda the GPU's name is one of them.
    """
    import torch  # here: a process that only reads a document does not load torch

    gpu = {"gpu": torch.cuda.get_device_name()} if device == "cuda" else {}
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads": str(threads),
        **gpu,
    }


def describe_change(then: dict[str, str], now: dict[str, str]) -> str:
    """Return a sentence on the changes that may alter a resumed run's numbers, or ""."""
    changes = [
        f"{name} {then.get(name)} → {now[name]}" for name in now if then.get(name) != now[name]
    ]
    if not changes:
        return ""
    return f"Resumed with {', '.join(changes)}: its numbers may differ in the last digits."


def compute_after_others(niceness: int) -> None:
    """Let the process's other threads compute before this one and those that it starts.

    Only Linux has priorities of threads; elsewhere nothing happens.

    Args:
        niceness: how much lower its priority becomes; 0 leaves it.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        now = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, min(19, now + niceness))

"""The environment of a run, and its changes that may alter a resumed run's numbers."""

import platform


def describe_machine(threads: int) -> dict[str, str]:
    """Return the properties of the machine that decide whether a run repeats bit for bit."""
    import torch  # here: a process that only reads a document does not load torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads": str(threads),
    }


def describe_change(then: dict[str, str], now: dict[str, str]) -> str:
    """Return a sentence on the changes that may alter a resumed run's numbers, or ""."""
    changes = [
        f"{name} {then.get(name)} → {now[name]}" for name in now if then.get(name) != now[name]
    ]
    if not changes:
        return ""
    return f"Resumed with {', '.join(changes)}: its numbers may differ in the last digits."

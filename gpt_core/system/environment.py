"""What a run ran on, and what may keep a resumed run from repeating itself."""

import platform


def describe_machine(threads: int) -> dict[str, str]:
    """Return what decides whether a run can be repeated bit by bit."""
    import torch  # here: a process that only reads a document loads no torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads": str(threads),
    }


def describe_change(then: dict[str, str], now: dict[str, str]) -> str:
    """Return, in words, what may keep a resumed run from repeating itself bit by bit, or ""."""
    changes = [
        f"{name} {then.get(name)} → {now[name]}" for name in now if then.get(name) != now[name]
    ]
    if not changes:
        return ""
    return f"Resumed with {', '.join(changes)}: its numbers may differ in the last digits."

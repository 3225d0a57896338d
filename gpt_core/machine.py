"""What a run ran on, and what went wrong there, in words."""

import errno
import platform
import sqlite3

import torch

from gpt_core.salvage import DAMAGED


def describe_machine(threads: int) -> dict[str, str]:
    """Return what decides whether a run can be repeated bit by bit."""
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


def describe_error(error: BaseException) -> str:
    """Return what a person should read of an exception that ended a run."""
    text = str(error)
    no_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
    if no_memory or any(
        words in text for words in ("allocate memory", "enough memory", "out of m")
    ):
        return (
            "The memory is full: end other programs, or choose a smaller model, batch_size or "
            "context_length."
        )
    no_space = isinstance(error, OSError) and error.errno == errno.ENOSPC
    if no_space or "No space left" in text or "disk is full" in text:
        return "The disk is full: make room on it and go on, or choose another runs directory."
    if isinstance(error, sqlite3.Error):
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
            return (
                "The record of the runs is damaged. End the app and start it again: the damaged "
                "file is set aside, and what can be read of it is kept."
            )
        return (
            f"The runs directory could not be read or written ({text}): look whether it is there."
        )
    if isinstance(error, OSError) and error.strerror:
        # Without a path of the server's.
        return (
            f"The machine refused it ({error.strerror}): look whether the runs directory is whole."
        )
    return text or type(error).__name__

"""Which places on the disk are written to: Python's own audit events, which nothing goes around.

A hook cannot be taken out again: it is put in once for the process, and listens while it is told.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# How many of an event's first arguments are what is changed.
CHANGES = {"os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.chmod": 1}
CHANGES |= {"os.rename": 2, "os.link": 2, "os.symlink": 2, "sqlite3.connect": 1}
CHANGES |= {"shutil.rmtree": 1, "shutil.move": 2, "shutil.unpack_archive": 2}

_heard: list[str] | None = None  # None while nobody listens
_is_installed = False


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _heard is None:
        return
    if event == "open":
        path, mode, flags = arguments
        if set(mode or "") & set("wax+") or (flags or 0) & WRITING:
            _note(path)
    # What is named within an open folder (by shutil.rmtree) was heard when that was named.
    elif event in CHANGES and not (isinstance(arguments[-1], int) and arguments[-1] >= 0):
        for path in arguments[: CHANGES[event]]:
            _note(path)


def _note(path: Any) -> None:
    if _heard is not None and isinstance(path, str | bytes | os.PathLike):
        _heard.append(os.fsdecode(path))


@contextmanager
def watch_writes() -> Iterator[list[str]]:
    """Collect the paths that are written to, made, moved or removed meanwhile, by any thread."""
    global _heard, _is_installed
    if not _is_installed:
        sys.addaudithook(_listen)
        _is_installed = True
    _heard = heard = []
    try:
        yield heard
    finally:
        _heard = None


def outside(paths: list[str], *allowed: Path) -> list[str]:
    """Return which paths lie neither below an allowed folder nor where temporary files lie.

    Nor are the caches of Python and hypothesis counted: they hold what was read of our own code.
    """
    folders = [folder.resolve() for folder in (*allowed, Path(tempfile.gettempdir()))]
    return sorted(
        {
            path
            for path in paths
            if not {"__pycache__", ".hypothesis"} & set(Path(path).parts)
            and path not in (os.devnull, ":memory:")
            and not any(Path(path).resolve().is_relative_to(folder) for folder in folders)
        }
    )

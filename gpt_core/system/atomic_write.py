"""A file that is complete or absent, whatever happens while it is written."""

import os
import threading
from collections.abc import Iterable
from pathlib import Path


def write_atomically(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write a file under a temporary name, flush it to the disk, and rename it.

    ``data`` is all of it, or blocks that are written as they come.

    Raises:
        OSError: the disk is full or cannot be written; no temporary file is left behind.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        with part.open("wb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

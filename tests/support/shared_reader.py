"""One process that reads all files of a test session: torch takes seconds to be imported.

The process is the app's own, kept for many files. `tests/weights/test_reading.py` reads each with a
process of its own, as the app does.
"""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from gpt_core.system.sandbox import Answer, Limits, Sandbox

LIMITS = Limits(seconds=300, cpu_seconds=200, memory_bytes=2**33, file_bytes=2**32)


class SharedReader:
    """A sandbox for all threads of the session; its thread lives as long, and so its process."""

    def __init__(self, imports: str = "") -> None:
        self._sandbox = Sandbox(LIMITS, Path(tempfile.gettempdir()), imports)
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def call(self, function: str, data: bytes, options: dict[str, Any], _: object = None) -> Answer:
        return self._thread.submit(self._sandbox.call, function, data, options).result()

    def close(self) -> None:
        self._thread.submit(self._sandbox.close).result()
        self._thread.shutdown()

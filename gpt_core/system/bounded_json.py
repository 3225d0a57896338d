"""JSON that others may have written: its size and nesting are bounded before it costs memory."""

import json
from pathlib import Path
from typing import Any

MAX_SETTINGS_BYTES = 2**20  # of settings, configurations, and what this app notes beside files
MAX_RECORDING_BYTES = 2**25  # of recordings
MAX_CONTAINERS = 500_000  # lists and objects: each takes 60 bytes and more, from two of the file
MAX_NESTING = 64


def read_json(file: Path, max_bytes: int = MAX_SETTINGS_BYTES) -> Any:
    """Return what a JSON file holds, of which no more than the maximum is read.

    Raises:
        ValueError: as of :func:`parse_json`; the message begins with the file's name.
        OSError: it cannot be read.
    """
    with file.open("rb") as opened:
        return parse_json(opened.read(max_bytes + 1), file.name, max_bytes)


def parse_json(data: bytes | str, name: str, max_bytes: int = MAX_SETTINGS_BYTES) -> Any:
    """Return what JSON holds; bytes may begin with a byte order mark.

    Parsing holds the interpreter's lock, and makes much of little: so what is too large or has too
    many lists is refused before.

    Raises:
        ValueError: it is too large, nested too deep, or not JSON; the message begins with ``name``
            and has no full stop.
    """
    if len(data) > max_bytes:
        raise ValueError(f"{name} is larger than {max_bytes // 2**20} MB")
    if isinstance(data, bytes):
        containers = data.count(b"[") + data.count(b"{")
    else:
        containers = data.count("[") + data.count("{")
    if containers > MAX_CONTAINERS:
        raise ValueError(f"{name} holds more than {MAX_CONTAINERS:,} lists and objects")
    try:
        parsed = json.loads(data)
    except RecursionError as error:
        raise ValueError(f"{name} is nested more than {MAX_NESTING} deep") from error
    except ValueError as error:
        raise ValueError(f"{name} is not JSON") from error
    level = [parsed]
    for _ in range(MAX_NESTING + 1):
        level = [value for value in level if isinstance(value, dict | list)]
        if not level:
            return parsed
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    raise ValueError(f"{name} is nested more than {MAX_NESTING} deep")

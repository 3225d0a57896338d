"""JSON that came from elsewhere: it is parsed in a process of its own, and handed back in pieces.

To parse JSON holds the interpreter's lock. The pieces are short, so that other threads run between
them.
"""

import json
from typing import Any

from gpt_core.system import sandbox
from gpt_core.system.bounded_json import MAX_SETTINGS_BYTES, parse_json

PARSE = f"{__name__}:parse_for_sandbox"
MAX_PIECE_BYTES = MAX_SETTINGS_BYTES  # of a row, and of what is left without the rows
LIMITS = sandbox.Limits(seconds=60, cpu_seconds=30, memory_bytes=2**31)


def json_reader() -> sandbox.Sandbox:
    """Return a process that parses JSON."""
    return sandbox.Sandbox(LIMITS)


def parse_foreign_json(data: bytes, name: str, max_bytes: int = MAX_SETTINGS_BYTES) -> Any:
    """Return what JSON from elsewhere holds; its tables, objects with ``rows``, may be large.

    Raises:
        ValueError: as of :func:`~gpt_core.system.parse_json`, or it made its reader fail, or a row
            is too large; the message begins with ``name`` and has no full stop.
    """
    options = {"name": name, "max_bytes": max_bytes}
    try:
        with json_reader() as reader:
            _, pieces = reader.call(PARSE, data, options)
    except sandbox.SandboxError as error:
        raise ValueError(f"{name} {error}") from error
    first, *rows = pieces.split(b"\n")
    _check_sizes([first, *rows], name)
    parsed = json.loads(first)
    for table, row in map(json.loads, rows):
        parsed[table]["rows"].append(row)
    return parsed


def parse_for_sandbox(data: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Parse JSON in the process that :mod:`gpt_core.system.sandbox` starts.

    Returns: nothing, and lines of JSON: all of it without the rows of its tables, then for each row
    the table's name and the row.

    Raises:
        ValueError: as of :func:`parse_foreign_json`.
    """
    name = options["name"]
    parsed = parse_json(data, name, options["max_bytes"])
    lines = []
    for table, value in parsed.items() if isinstance(parsed, dict) else ():
        if isinstance(value, dict) and isinstance(value.get("rows"), list):
            lines += [_line([table, row]) for row in value["rows"]]
            value["rows"] = []
    lines.insert(0, _line(parsed))
    _check_sizes(lines, name)
    return {}, b"\n".join(lines)


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _check_sizes(pieces: list[bytes], name: str) -> None:
    """Raise ValueError if a piece is so large that to parse it would halt other threads."""
    if max(map(len, pieces)) > MAX_PIECE_BYTES:
        limit = f"{MAX_PIECE_BYTES // 2**20} MB"
        raise ValueError(f"{name} has more than {limit} in one row, or beside its rows")

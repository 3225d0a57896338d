"""A table or a data set with a column of text (CSV, TSV, JSON, JSON lines) → that column."""

import csv
import io
import json
import re
from collections import Counter

from gpt_core.documents.document import (
    DEFAULTS,
    END_OF_TEXT,
    Document,
    ReadingOptions,
    UnreadableError,
)
from gpt_core.documents.encodings import decode_text
from gpt_core.system import count

MAX_CELL = 2**27  # characters; the csv module's own limit is 131,072
MAX_COLUMNS = 1000
MAX_WRONG_LINES = 10  # of JSON lines, if most are wrong
MAX_ROWS = 2_000_000
LONG_CELL = 200  # characters on average: each row is a text of its own, no line of one
NAMELESS = "text"  # the column of a data set that is a list of texts

Row = dict[str, str]


def read_table(data: bytes, suffix: str, options: ReadingOptions = DEFAULTS) -> Document:
    """Return one column of a table: the chosen one, else the one with the most text.

    Short cells become lines; long ones are separated by the end-of-text token.

    Raises:
        UnreadableError: there is no column of text, or not the chosen one; or it is no table.
    """
    text, encoding = decode_text(data, options.encoding)
    text = text.removeprefix("\ufeff")
    skipped = 0
    if suffix in ("jsonl", "ndjson"):
        rows, skipped = _json_lines(text)
    elif suffix == "json":
        rows = _json_rows(text)
    else:
        rows = _csv_rows(text)
    letters: Counter[str] = Counter()
    for row in rows:
        for name, cell in row.items():
            letters[name] += sum(map(len, re.findall(r"[^\W\d_]{2,}", cell)))
    columns = tuple(name for name, count in letters.most_common() if count)
    if not columns:
        raise UnreadableError("holds no column of text: choose a file that contains some.")
    column = options.column or columns[0]
    if column not in columns:
        listed = ", ".join(map(repr, columns[:8]))
        raise UnreadableError(f"has no column {column!r} with text: choose one of {listed}.")
    cells = [cell for row in rows if (cell := row.get(column, "").strip())]
    is_long = any("\n" in cell for cell in cells) or sum(map(len, cells)) > LONG_CELL * len(cells)
    others = [name for name in letters if name != column]
    left_out = (
        _counted(len(others), "other column", f": {', '.join(others[:4])}"),
        _counted(len(rows) - len(cells), "row", " without text"),
        _counted(skipped, "line", " that cannot be read"),
    )
    return Document(
        (f"\n{END_OF_TEXT}" if is_long else "\n").join(cells) + "\n",
        "JSON" if suffix.endswith(("json", "jsonl")) else "table",
        encoding,
        tuple(filter(None, left_out)),
        columns=(column, *(name for name in columns if name != column)),
    )


def _counted(number: int, noun: str, rest: str) -> str:
    return f"{count(number, noun)}{rest}" if number else ""


def _csv_rows(text: str) -> list[Row]:
    """Return the rows of a CSV or TSV; a first line of short different words names the columns."""
    head = text[:20_000].splitlines()[:20]
    counts = {mark: [line.count(mark) for line in head if line] for mark in "\t;,|"}
    mark = max(counts, key=lambda mark: (min(counts[mark], default=0) > 0, sum(counts[mark])))
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    lines: list[list[str]] = []
    for line in reader:
        if any(line):
            lines.append(line)
        _require_size(len(lines), len(line))
    if not lines:
        return []
    names = [name.strip() for name in lines[0]]
    is_header = len(lines) > 1 and len(set(names)) == len(names) and all(map(_is_name, names))
    if not is_header:
        names = [f"column {number}" for number in range(1, len(names) + 1)]
    return [dict(zip(names, line, strict=False)) for line in lines[is_header:]]


def _require_size(rows: int, columns: int) -> None:
    if rows > MAX_ROWS or columns > MAX_COLUMNS:
        raise UnreadableError(
            f"has more than {MAX_ROWS:,} rows or {MAX_COLUMNS:,} columns: upload a part of it."
        )


def _is_name(cell: str) -> bool:
    return 0 < len(cell) <= 60 and not re.fullmatch(r"[\d.,:/ +-]+", cell)


def _json_lines(text: str) -> tuple[list[Row], int]:
    """Return the rows of JSON lines, and the number of lines that cannot be read."""
    rows, wrong = [], 0
    for number, line in enumerate(io.StringIO(text), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_row(json.loads(line)))
        except (ValueError, RecursionError) as error:
            wrong += 1
            if wrong > MAX_WRONG_LINES and wrong > len(rows):
                raise UnreadableError(
                    f"is no JSON in its line {number:,}: each line must be one value. Choose "
                    "another file, or rename it to .txt to read it as it is."
                ) from error
        _require_size(len(rows), 0)
    return rows, wrong


def _json_rows(text: str) -> list[Row]:
    """Return the rows of a JSON file: a list, or the longest list in an object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(
            f"is damaged, or no JSON ({error}): repair it, or rename it to .txt to read it as it "
            "is."
        ) from error
    if isinstance(value, dict):
        lists = [one for one in value.values() if isinstance(one, list)]
        value = max(lists, key=len) if lists else [value]
    return [_row(one) for one in (value if isinstance(value, list) else [value])]


def _row(value: object) -> Row:
    if not isinstance(value, dict):
        return {NAMELESS: value} if isinstance(value, str) else {}
    return {name: cell for name, cell in value.items() if isinstance(cell, str)}

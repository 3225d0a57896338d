"""What is sent of a run: its facts once, then its rows by cursor, as JSON."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from gpt_core.export import row_json, run_facts
from gpt_core.store import LIVE_STATES, PUBLISHED_TABLES, Run, RunStore
from gpt_core.system import MAX_RECORDING_BYTES

FORMAT = 1
MAX_FACTS_BYTES = MAX_RECORDING_BYTES  # of a run's facts: a vocabulary may be large
MAX_ROWS_BYTES = 2**22  # of one request with rows
BATCH_ROWS = 500  # of each table in one request
BATCH_BYTES = 2**19  # … and the bytes after which no further row is added

Cursors = Mapping[str, int]  # the last ID sent of each table


@dataclass(frozen=True)
class Batch:
    """The next rows of a run, ready to send."""

    body: bytes
    rows: int
    is_complete: bool  # whether these are all that there are now


def introduce(store: RunStore, run: Run) -> bytes:
    """Return a run's facts, its vocabulary and its first transition, as JSON."""
    first = store.rows_of(run.id, ("transitions",), at_most=1)
    return (
        f'{{"format": {FORMAT}, "origin": {json.dumps(socket.gethostname())}, '
        f'"run": {json.dumps(run_facts(run))}, '
        f'"vocabulary": {json.dumps(store.vocabulary(run.vocabulary_sha256))}, '
        f'"transitions": {_table(first["transitions"], BATCH_BYTES)[0]}}}'
    ).encode()


def read_batch(
    store: RunStore, run_id: str, after: Cursors, answers: Mapping[int, str] | None = None
) -> Batch:
    """Return a run's next rows after the cursors, with answers to the app's requests.

    The transition that ends the run waits until all other rows are sent: what has ended is whole.
    """
    found = store.rows_of(run_id, PUBLISHED_TABLES, after, BATCH_ROWS)
    is_complete = all(len(rows) < BATCH_ROWS for rows in found.values())
    transitions, tables, count, left = found.pop("transitions"), [], 0, BATCH_BYTES
    for table, rows in found.items():
        part, taken, used = _table(rows, left)
        is_complete, left = is_complete and taken == len(rows), left - used
        tables.append(f'"{table}": {part}')
        count += taken
    if not is_complete:
        ends = [i for i, row in enumerate(transitions) if row["state"] not in LIVE_STATES]
        transitions = transitions[: ends[0]] if ends else transitions
    part, taken, _ = _table(transitions, 2 * BATCH_BYTES)
    tables.append(f'"transitions": {part}')
    answered = json.dumps(list((answers or {}).items()))
    body = (
        f'{{"after": {json.dumps(dict(after))}, "answers": {answered}, '
        f'"tables": {{{", ".join(tables)}}}}}'
    )
    return Batch(body.encode(), count + taken, is_complete and taken == len(transitions))


def _table(rows: list[dict[str, object]], most_bytes: int) -> tuple[str, int, int]:
    """Return rows as a JSON table, as many as fit; how many these are, and their bytes.

    One row is always taken, however large it is, unless nothing fits at all.
    """
    columns = [name for name in (rows[0] if rows else ()) if name != "run_id"]
    lines: list[str] = []
    used = 0
    for row in rows:
        if used >= most_bytes:
            break
        lines.append(row_json(row, columns))
        used += len(lines[-1])
    table = f'{{"columns": {json.dumps(columns)}, "rows": [{", ".join(lines)}]}}'
    return table, len(lines), used

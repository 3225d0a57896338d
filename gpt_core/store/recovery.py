"""Recovery of a damaged SQLite file: it is set aside, and its readable rows are copied.

A power cut does not damage the file; a failing disk, or another program that writes to it, does.
"""

import shutil
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from gpt_core.store.migrations import MIGRATIONS
from gpt_core.store.rows import decoded, run_from_row
from gpt_core.store.run import CheckpointKind, Command, RunState, ShareKind
from gpt_core.system import DAMAGED, count, write_atomically

COMPANIONS = ("-wal", "-shm")  # SQLite's files beside one that is in use
NOTICE = ".damaged.txt"  # the suffix of files that hold a notice


def is_damaged(path: Path) -> bool:
    """Tell whether SQLite finds a file damaged; a missing file is not.

    Raises:
        sqlite3.Error: the file cannot be read for another reason.
    """
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except UnicodeDecodeError:  # the error message quotes damaged text
        return True
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in DAMAGED:  # the low byte is the primary error code
            return True
        raise


def set_aside_damaged(path: Path) -> None:
    """Set a damaged file aside under another name, and create a new one from its readable rows.

    The caller holds a lock, so that one process at a time does this. A notice of it is saved in a
    file beside the new one: see :func:`notices`.

    Raises:
        OSError, sqlite3.Error: the folder cannot be written to.
    """
    if not is_damaged(path):
        return
    now = datetime.now()
    name = f"{path.stem}-{now:%Y-%m-%d-%H%M%S-%f}"
    aside, part = path.with_name(f"{name}.damaged{path.suffix}"), path.with_name(f"{name}.part")
    kept = _salvage(path, part)
    # Copy, save the notice, then replace: if killed at any moment, it is redone or is complete.
    for ending in ("", *COMPANIONS):
        with suppress(FileNotFoundError):
            shutil.copy2(path.with_name(path.name + ending), aside.with_name(aside.name + ending))
    notice = (
        f"The record of all runs ({path.name}) was damaged when it was opened on "
        f"{now:%Y-%m-%d at %H:%M}: a failing disk or another program causes this. It was set aside "
        f"as {aside.name} in {path.parent.absolute()}. {kept} Texts and checkpoints were not "
        "touched."
    )
    write_atomically(path.with_name(name + NOTICE), notice.encode())
    for ending in COMPANIONS:
        path.with_name(path.name + ending).unlink(missing_ok=True)
    part.replace(path)


def notices(folder: Path) -> dict[Path, str]:
    """Return the notices about damaged files in a folder, by notice file, oldest first."""
    found = {}
    for path in sorted(folder.glob(f"*{NOTICE}")):
        with suppress(OSError, ValueError):
            found[path] = path.read_text(encoding="utf-8")
    return found


def _salvage(damaged: Path, new: Path) -> str:
    """Copy the readable rows of a damaged file to a new one; return a sentence on how many."""
    with (
        closing(sqlite3.connect(new)) as into,
        closing(sqlite3.connect(f"file:{damaged.absolute()}?mode=ro", uri=True)) as source,
    ):
        for script in MIGRATIONS:
            into.executescript(script)
        into.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        for (table,) in into.execute(names).fetchall():
            _copy_readable(source, into, table)
        _drop_what_makes_no_sense(into)
        into.commit()
        runs, rows = (
            into.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in ("runs", "steps")
        )
    if not runs:
        return "Nothing in it could be read: the new record is empty."
    return f"What could be read was recovered: {count(runs, 'run')} with {count(rows, 'step')}."


def _copy_readable(source: sqlite3.Connection, into: sqlite3.Connection, table: str) -> None:
    """Copy a table's rows from both ends, each as far as it is readable."""
    try:  # an older version may have had fewer columns
        there = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return
    names = [row[1] for row in into.execute(f"PRAGMA table_info({table})") if row[1] in there]
    columns, marks = ", ".join(["rowid", *names]), ", ".join("?" * (len(names) + 1))
    for direction in ("ASC", "DESC"):
        with suppress(sqlite3.DatabaseError, UnicodeDecodeError):
            for row in source.execute(
                f"SELECT {columns} FROM {table} ORDER BY rowid {direction}"  # noqa: S608
            ):
                if direction == "DESC" and _has(into, table, row[0]):
                    break  # already copied from here on
                into.execute(
                    f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608
                    row,
                )


def _has(into: sqlite3.Connection, table: str, rowid: int) -> bool:
    found = into.execute(f"SELECT 1 FROM {table} WHERE rowid = ?", (rowid,))  # noqa: S608
    return found.fetchone() is not None


def _drop_what_makes_no_sense(into: sqlite3.Connection) -> None:
    """Remove invalid rows, and mark runs that lost their state as interrupted."""
    into.row_factory = sqlite3.Row
    for row in into.execute("SELECT * FROM runs").fetchall():
        state = {"state": "interrupted", "state_at": 0.0, "message": ""}
        try:
            run_from_row({**dict(row), **state})
        except (TypeError, ValueError, RecursionError):
            into.execute("DELETE FROM runs WHERE id = ?", (row["id"],))
    for table in ("samples", "probes", "updates", "inside"):
        for row in into.execute(f"SELECT * FROM {table}").fetchall():  # noqa: S608
            try:
                decoded(table, dict(row))
            except (TypeError, ValueError, RecursionError):
                into.execute(f"DELETE FROM {table} WHERE id = ?", (row["id"],))  # noqa: S608
    into.row_factory = None
    into.execute("DELETE FROM published_runs WHERE NOT json_valid(cursors)")
    into.execute("UPDATE deletions SET seconds = 0 WHERE typeof(seconds) != 'real'")
    for table, _, parent, *_ in into.execute("PRAGMA foreign_key_check").fetchall():
        assert parent == "runs"
        into.execute(
            f"DELETE FROM {table} WHERE run_id NOT IN (SELECT id FROM runs)"  # noqa: S608
        )
    for table, column, known in (
        ("transitions", "state", tuple(RunState)),
        ("checkpoints", "kind", tuple(CheckpointKind)),
        ("shares", "kind", tuple(ShareKind)),
        ("requests", "command", tuple(Command)),
    ):
        marks = ", ".join("?" * len(known))
        into.execute(
            f"DELETE FROM {table} WHERE {column} NOT IN ({marks})",  # noqa: S608
            known,
        )
    into.execute(
        """
        INSERT INTO transitions (run_id, at, state, actor, message)
        SELECT id, created_at, 'interrupted', owner, 'The record of how it ended was damaged.'
        FROM runs
        WHERE id NOT IN (SELECT run_id FROM transitions)"""
    )

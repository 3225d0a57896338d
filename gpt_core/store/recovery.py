"""What becomes of a SQLite file that is damaged: it is set aside, and what can be read is kept.

A power cut does not damage one; a failing disk, or a program that writes where it should not, does.
"""

import shutil
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from gpt_core.store.migrations import MIGRATIONS
from gpt_core.store.rows import decoded, run_from_row
from gpt_core.store.run import CheckpointKind, RunState
from gpt_core.system import DAMAGED, write_atomically

COMPANIONS = ("-wal", "-shm")  # what lies beside a SQLite file that is in use
NOTICE = ".damaged.txt"  # how the files end in which it is told


def is_damaged(path: Path) -> bool:
    """Tell whether SQLite finds a file damaged; one that is not there is not.

    Raises:
        sqlite3.Error: it cannot be read for another reason.
    """
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except UnicodeDecodeError:  # it quotes what is no text any more
        return True
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in DAMAGED:  # the low byte is the kind of error
            return True
        raise


def set_aside_damaged(path: Path) -> None:
    """Set a damaged file aside under another name, and make a new one of what can be read.

    One process at a time: the caller holds a lock. What happened is told in a file beside it, for
    as long as that lies there: :func:`notices`.

    Raises:
        OSError, sqlite3.Error: the folder cannot be written to.
    """
    if not is_damaged(path):
        return
    now = datetime.now()
    name = f"{path.stem}-{now:%Y-%m-%d-%H%M%S-%f}"
    aside, part = path.with_name(f"{name}.damaged{path.suffix}"), path.with_name(f"{name}.part")
    kept = _salvage(path, part)
    # Copied, told, and only then replaced: killed at any moment, it is done again or is done.
    for ending in ("", *COMPANIONS):
        with suppress(FileNotFoundError):
            shutil.copy2(path.with_name(path.name + ending), aside.with_name(aside.name + ending))
    notice = (
        f"The record of all runs ({path.name}) was damaged when it was opened on "
        f"{now:%Y-%m-%d at %H:%M}: a failing disk does that, or another program. It was set aside "
        f"as {aside.name} in {path.parent.absolute()}. {kept} Texts and checkpoints were not "
        "touched."
    )
    write_atomically(path.with_name(name + NOTICE), notice.encode())
    for ending in COMPANIONS:
        path.with_name(path.name + ending).unlink(missing_ok=True)
    part.replace(path)


def notices(folder: Path) -> dict[Path, str]:
    """Return what is told of damaged files in a folder, the oldest first, by the file of each."""
    found = {}
    for path in sorted(folder.glob(f"*{NOTICE}")):
        with suppress(OSError, ValueError):
            found[path] = path.read_text(encoding="utf-8")
    return found


def _salvage(damaged: Path, new: Path) -> str:
    """Write what can be read of a damaged file to a new one; say how much that is."""
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
        return "Nothing in it could be read: the record begins anew."
    return f"What could be read of it was kept: {runs:,} runs with {rows:,} steps."


def _copy_readable(source: sqlite3.Connection, into: sqlite3.Connection, table: str) -> None:
    """Copy a table's rows from both of its ends, as far as each can be read."""
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
                    break  # from here on it was copied
                into.execute(
                    f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608
                    row,
                )


def _has(into: sqlite3.Connection, table: str, rowid: int) -> bool:
    found = into.execute(f"SELECT 1 FROM {table} WHERE rowid = ?", (rowid,))  # noqa: S608
    return found.fetchone() is not None


def _drop_what_makes_no_sense(into: sqlite3.Connection) -> None:
    """Remove rows that no page could show, and say of runs that lost their state that they did."""
    into.row_factory = sqlite3.Row
    for row in into.execute("SELECT * FROM runs").fetchall():
        state = {"state": "interrupted", "state_at": 0.0, "message": ""}
        try:
            run_from_row({**dict(row), **state})
        except (TypeError, ValueError, RecursionError):
            into.execute("DELETE FROM runs WHERE id = ?", (row["id"],))
    for table in ("samples", "probes", "updates"):
        for row in into.execute(f"SELECT * FROM {table}").fetchall():  # noqa: S608
            try:
                decoded(table, dict(row))
            except (TypeError, ValueError, RecursionError):
                into.execute(f"DELETE FROM {table} WHERE id = ?", (row["id"],))  # noqa: S608
    into.row_factory = None
    into.execute("UPDATE deletions SET seconds = 0 WHERE typeof(seconds) != 'real'")
    for table, _, parent, *_ in into.execute("PRAGMA foreign_key_check").fetchall():
        assert parent == "runs"
        into.execute(
            f"DELETE FROM {table} WHERE run_id NOT IN (SELECT id FROM runs)"  # noqa: S608
        )
    for table, column, known in (
        ("transitions", "state", tuple(RunState)),
        ("checkpoints", "kind", tuple(CheckpointKind)),
    ):
        marks = ", ".join("?" * len(known))
        into.execute(
            f"DELETE FROM {table} WHERE {column} NOT IN ({marks})",  # noqa: S608
            known,
        )
    into.execute(
        """
        INSERT INTO transitions (run_id, at, state, actor, message)
        SELECT id, created_at, 'interrupted', owner, 'What became of it was damaged.' FROM runs
        WHERE id NOT IN (SELECT run_id FROM transitions)"""
    )

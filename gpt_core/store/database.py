"""Database: one SQLite file with the newest schema, one writer at a time, any number of readers."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import filelock

from gpt_core.store.migrations import MIGRATIONS
from gpt_core.store.recovery import set_aside_damaged
from gpt_core.store.rows import Row, encoded

WATCH_SECONDS = 0.25  # how often writes of other processes are checked for


class Database:
    """A SQLite file that many threads and processes read while one thread writes.

    Args:
        path: the file; created if missing, migrated to the newest schema if old. A damaged file
            is set aside, and its readable rows are copied to a new one.

    Raises:
        ValueError: a newer version of this app wrote it.
        OSError, sqlite3.Error: the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with ExitStack() as on_failure, filelock.FileLock(f"{path}.lock"):  # across processes
            set_aside_damaged(path)
            self._writer = on_failure.enter_context(closing(self._connect()))
            self._migrate()
            on_failure.pop_all()  # success: the connection stays open
        # Guards _writer: one transaction at a time in this process; SQLite locks out the others.
        self._writing = threading.Lock()
        self._watching = threading.Lock()  # guards the three below
        self._watcher: sqlite3.Connection | None = None  # only checks for others' writes
        self._watched = -float("inf")
        self._foreign = 0
        self._writes = 0  # of this process; guarded by _writing

    def close(self) -> None:
        """Close the file."""
        with self._writing, self._watching:
            self._writer.close()
            if self._watcher is not None:
                self._watcher.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the writing connection for one transaction: all or nothing."""
        with self._writing:
            with self._writer:
                yield self._writer
            self._writes += 1

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read several times from one snapshot, on a separate connection.

        Readers and the writer never wait for each other.
        """
        with closing(self._connect()) as connection:
            connection.execute("BEGIN")
            yield connection

    def select(self, sql: str, *values: Any) -> list[Row]:
        """Return the rows that a query finds."""
        with self.reading() as connection:
            try:
                return [dict(row) for row in connection.execute(sql, values)]
            except UnicodeEncodeError:  # an unpaired surrogate: it matches no row
                return []

    def version(self) -> tuple[int, int]:
        """Return a pair that changes after each write.

        A write of this process changes it at once, one of another process within 0.25 s.
        """
        now = time.monotonic()
        with self._watching:
            if now - self._watched >= WATCH_SECONDS:
                self._watched = now
                if self._watcher is None:
                    self._watcher = self._connect()
                self._foreign = int(self._watcher.execute("PRAGMA data_version").fetchone()[0])
            return self._writes, self._foreign

    def note_change(self) -> None:
        """Change the version, so that readers read again although nothing was written."""
        with self._writing:
            self._writes += 1

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=30, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")  # committed rows survive a power cut
        return connection

    def _migrate(self) -> None:
        """Migrate the file to the newest schema, one numbered script at a time.

        Raises:
            ValueError: a newer version of this app wrote it.
        """
        self._use_wal()
        version = self._schema_version()
        if version > len(MIGRATIONS):
            raise ValueError(
                f"{self._path} was written by a newer version of this app (schema {version}, this "
                f"one knows {len(MIGRATIONS)}): update the app, or choose another runs directory."
            )
        for number in range(version, len(MIGRATIONS)):
            # Two processes may be here at once: the one that waits finds the migration done.
            self._writer.execute("BEGIN IMMEDIATE")
            if self._schema_version() == number:
                for statement in MIGRATIONS[number].split(";\n"):
                    self._writer.execute(statement)
                self._writer.execute(f"PRAGMA user_version = {number + 1}")
            self._writer.commit()

    def _use_wal(self) -> None:
        """Switch to the write-ahead log, so that readers never wait for the writer."""
        deadline = time.monotonic() + 30
        while True:
            try:
                mode = self._writer.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                break
            except sqlite3.OperationalError:  # two processes at once: SQLite does not wait
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        if mode != "wal":
            raise sqlite3.OperationalError(f"journal mode {mode} instead of wal")

    def _schema_version(self) -> int:
        return int(self._writer.execute("PRAGMA user_version").fetchone()[0])


def insert(connection: sqlite3.Connection, table: str, row: Row) -> None:
    """Insert one row. The table's name must not come from a user.

    Raises:
        sqlite3.Error: a column does not exist, or a constraint is violated.
    """
    columns, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
    if not all(name.isidentifier() for name in row):
        raise sqlite3.OperationalError(f"no such columns: {columns}")
    connection.execute(
        f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608
        tuple(encoded(value) for value in row.values()),
    )

"""RunStore: what happened in each run, append-only, in one SQLite file. Imports no torch.

Rows are only ever added, and read by cursor (``id > after``), so any number of viewers in
any number of processes see the same run. A run's state is its latest transition.
"""

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.records import (
    EvaluationRecord,
    ProbeRecord,
    Record,
    SampleRecord,
    StepRecord,
    UpdateRecord,
)
from gpt_core.rows import Row, decoded, encoded, run_from_row
from gpt_core.run import LIVE_STATES, STATES, Run
from gpt_core.runs_dir import refuse_network_file_system
from gpt_core.schema import MIGRATIONS

RECORD_TABLES: dict[type, str] = {
    StepRecord: "steps",
    EvaluationRecord: "evaluations",
    SampleRecord: "samples",
    ProbeRecord: "probes",
    UpdateRecord: "updates",
}
WATCH_SECONDS = 0.25  # how often it is asked whether another process has written
_ROWS = "SELECT * FROM {} WHERE run_id = ? AND id > ? ORDER BY id"


class RunStore:
    """The runs of one directory, in ``runs.sqlite`` there.

    Args:
        runs_dir: the directory; made if it is missing.
        clock: gives the time in seconds since 1970.

    Raises:
        ValueError: the directory cannot be used, or a newer version of this app wrote it.
    """

    def __init__(self, runs_dir: Path, clock: Callable[[], float] = time.time) -> None:
        self.runs_dir = Path(runs_dir)
        self._path = self.runs_dir / "runs.sqlite"
        self._clock = clock
        try:
            self.runs_dir.mkdir(parents=True, exist_ok=True)
            refuse_network_file_system(self.runs_dir)
            with ExitStack() as on_failure:
                self._writer = on_failure.enter_context(closing(self._connect()))
                self._migrate()
                on_failure.pop_all()  # all is well: the connection stays open
        except (OSError, sqlite3.Error) as error:
            raise ValueError(
                f"The runs directory {self.runs_dir} cannot be used ({error}): choose another one "
                "with --runs-dir or the environment variable GPT_LAB_RUNS_DIR."
            ) from error
        # Guards _writer: one transaction at a time in this process; SQLite sees to the others.
        self._writing = threading.Lock()
        self._watching = threading.Lock()  # guards the three below
        self._watcher: sqlite3.Connection | None = None  # only asks what others have written
        self._watched = -float("inf")
        self._foreign = 0
        self._writes = 0  # of this process; guarded by _writing

    def close(self) -> None:
        """Close the file."""
        with self._writing, self._watching:
            self._writer.close()
            if self._watcher is not None:
                self._watcher.close()

    # Writing

    def add_run(
        self,
        run_id: str,
        owner: str,
        preset: str,
        model_config: GPTConfig,
        training_config: TrainingConfig,
        text_name: str,
        text_sha256: str,
        train_tokens: int,
        val_tokens: int,
        total_steps: int,
        versions: dict[str, str],
    ) -> None:
        """Write down a new run, in state ``queued``."""
        row = {
            "id": run_id,
            "created_at": self._clock(),
            "owner": owner,
            "preset": preset,
            "model_config": model_config,
            "training_config": training_config,
            "text_name": text_name,
            "text_sha256": text_sha256,
            "train_tokens": train_tokens,
            "val_tokens": val_tokens,
            "total_steps": total_steps,
            "versions": versions,
        }
        with self._transaction() as connection:
            _insert(connection, "runs", row)
            self._add_transition(connection, run_id, "queued", owner, "")

    def add_recorded_run(self, facts: Row, records: Mapping[str, list[Row]]) -> None:
        """Write down a run that was recorded elsewhere, with all its rows, or nothing of it.

        Raises:
            ValueError: its ID is taken, or a row is not of its table.
        """
        try:
            with self._transaction() as connection:
                _insert(connection, "runs", facts)
                for table, rows in records.items():
                    for row in rows:
                        _insert(connection, table, {**row, "run_id": facts["id"]})
        except (sqlite3.IntegrityError, sqlite3.OperationalError) as error:
            raise ValueError(f"The recorded run was not taken in: {error}.") from error

    def set_state(self, run_id: str, state: str, actor: str, message: str = "") -> None:
        """Write down a run's transition to another state, who caused it, and why."""
        assert state in STATES, state
        with self._transaction() as connection:
            self._add_transition(connection, run_id, state, actor, message)

    def add_records(
        self, run_id: str, records: Iterable[tuple[Record, float]], memory: int = 0
    ) -> None:
        """Write down records, each with the seconds spent on the run so far, all or none.

        ``memory`` is what the process holds as they are written, in bytes; it stands with steps.
        """
        with self._transaction() as connection:
            for record, seconds in records:
                row = {"run_id": run_id, **asdict(record), "seconds": seconds}
                if isinstance(record, StepRecord):
                    row["memory"] = memory
                _insert(connection, RECORD_TABLES[type(record)], row)

    def add_checkpoint(
        self, run_id: str, global_step: int, kind: str, folder: Path, written: int
    ) -> None:
        """Write down a checkpoint whose folder is whole on the disk."""
        row = {
            "run_id": run_id,
            "global_step": global_step,
            "kind": kind,
            "folder": str(folder.relative_to(self.runs_dir)),
            "bytes": written,
            "at": self._clock(),
        }
        with self._transaction() as connection:
            _insert(connection, "checkpoints", row)

    def remove_checkpoint(self, checkpoint_id: int) -> None:
        """Take a checkpoint's row away; do this before its folder goes."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM checkpoints WHERE id = ?", (checkpoint_id,))

    def keep_text(self, text: str, sha256: str) -> None:
        """Keep a run's text by its content hash: resume needs it."""
        path = self.text_path(sha256)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
            with part.open("wb") as file:
                file.write(text.encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)

    # Reading

    def version(self) -> tuple[int, int]:
        """Return what is different after anything was written: by this process at once, by
        another one within a quarter of a second.
        """
        now = time.monotonic()
        with self._watching:
            if now - self._watched >= WATCH_SECONDS:
                self._watched = now
                if self._watcher is None:
                    self._watcher = self._connect()
                self._foreign = int(self._watcher.execute("PRAGMA data_version").fetchone()[0])
            return self._writes, self._foreign

    def text(self, sha256: str) -> str:
        """Return a text that a run was trained on.

        Raises:
            ValueError: it is missing or damaged.
        """
        path = self.text_path(sha256)
        data = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ValueError(f"The run's text {path} is missing or damaged: it cannot go on.")
        return data.decode("utf-8")

    def runs(self) -> list[Run]:
        """Return all runs, the newest first."""
        return self._select_runs("ORDER BY runs.created_at DESC, runs.rowid DESC")

    def run(self, run_id: str) -> Run | None:
        """Return one run, or None if there is none of this ID."""
        found = self._select_runs("WHERE runs.id = ?", run_id)
        return found[0] if found else None

    def latest_run(self) -> Run | None:
        """Return the run that was started last, or None in an empty store."""
        found = self._select_runs("ORDER BY runs.created_at DESC, runs.rowid DESC LIMIT 1")
        return found[0] if found else None

    def live_runs(self) -> list[Run]:
        """Return the runs that are waiting, training or paused, the oldest first."""
        marks = ", ".join("?" * len(LIVE_STATES))
        return self._select_runs(
            f"WHERE last.state IN ({marks}) ORDER BY runs.created_at, runs.rowid", *LIVE_STATES
        )

    def transitions(self, run_id: str, after: int = 0) -> list[Row]:
        """Return a run's transitions with ``id > after``, oldest first."""
        return self._select_rows("transitions", run_id, after)

    def steps(self, run_id: str, after: int = 0) -> list[Row]:
        """Return a run's steps with ``id > after``, oldest first."""
        return self._select_rows("steps", run_id, after)

    def evaluations(self, run_id: str, after: int = 0) -> list[Row]:
        """Return a run's evaluations with ``id > after``, oldest first."""
        return self._select_rows("evaluations", run_id, after)

    def samples(self, run_id: str, after: int = 0) -> list[Row]:
        """Return a run's samples with ``id > after``, oldest first."""
        return self._select_rows("samples", run_id, after)

    def probes(self, run_id: str, after: int = 0) -> list[Row]:
        """Return a run's probes with ``id > after``, oldest first."""
        return self._select_rows("probes", run_id, after)

    def updates(self, run_id: str, after: int = 0) -> list[Row]:
        """Return a run's updates that were looked at closely, with ``id > after``."""
        return self._select_rows("updates", run_id, after)

    def checkpoints(self, run_id: str, after: int = 0) -> list[Row]:
        """Return a run's checkpoints with ``id > after``, oldest first."""
        return self._select_rows("checkpoints", run_id, after)

    def news(
        self, run_id: str, tables: Sequence[str], after: Mapping[str, int]
    ) -> dict[str, list[Row]]:
        """Return a run's rows of several tables, each with ``id > after[table]``, in one reading.

        What one table holds fits what the others hold: nothing is written in between.
        """
        with closing(self._connect()) as connection:
            connection.execute("BEGIN")
            return {
                table: [
                    decoded(table, dict(row))
                    for row in connection.execute(
                        _ROWS.format(table), (run_id, after.get(table, 0))
                    )
                ]
                for table in tables
            }

    def probes_at(self, run_id: str, global_step: int) -> list[Row]:
        """Return what the evaluation after a step made of each probe."""
        sql = "SELECT * FROM probes WHERE run_id = ? AND global_step = ? ORDER BY probe"
        return [decoded("probes", row) for row in self._select(sql, run_id, global_step)]

    def best_checkpoint(self, run_id: str) -> Row | None:
        """Return the checkpoint at the step with the lowest validation loss, if there is one."""
        sql = """
            SELECT checkpoints.*, evaluations.val_loss FROM checkpoints
            JOIN evaluations USING (run_id, global_step)
            WHERE run_id = ? ORDER BY val_loss, global_step, kind LIMIT 1"""
        found = self._select(sql, run_id)
        return found[0] if found else None

    def last_steps(self, run_id: str, count: int) -> list[Row]:
        """Return a run's last ``count`` steps, oldest first."""
        sql = "SELECT * FROM steps WHERE run_id = ? ORDER BY id DESC LIMIT ?"
        return self._select(sql, run_id, count)[::-1]

    def text_path(self, sha256: str) -> Path:
        """Return where a text lies, if it is kept."""
        return self.runs_dir / "texts" / f"{sha256}.txt"

    # Inside

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=30, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")  # what is read back survives a power cut
        return connection

    def _migrate(self) -> None:
        """Bring the file to the newest schema, one numbered script after the other."""
        self._use_wal()
        version = self._version()
        if version > len(MIGRATIONS):
            raise ValueError(
                f"{self._path} was written by a newer version of this app (schema {version}, this "
                f"one knows {len(MIGRATIONS)}): update the app, or choose another runs directory."
            )
        for number in range(version, len(MIGRATIONS)):
            # Two processes may come here at once: the one that waits finds the work done.
            self._writer.execute("BEGIN IMMEDIATE")
            if self._version() == number:
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
            except sqlite3.OperationalError:  # two processes at once: SQLite does not wait here
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        if mode != "wal":
            raise sqlite3.OperationalError(f"journal mode {mode} instead of wal")

    def _version(self) -> int:
        return int(self._writer.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the writing connection for one transaction: all of it or nothing."""
        with self._writing:
            with self._writer:
                yield self._writer
            self._writes += 1

    def _add_transition(
        self, connection: sqlite3.Connection, run_id: str, state: str, actor: str, message: str
    ) -> None:
        row = {"run_id": run_id, "at": self._clock(), "state": state, "actor": actor}
        _insert(connection, "transitions", {**row, "message": message})

    def _select(self, sql: str, *values: Any) -> list[Row]:
        """Read on a connection of this call's own: readers never wait for the writer."""
        with closing(self._connect()) as connection:
            return [dict(row) for row in connection.execute(sql, values)]

    def _select_rows(self, table: str, run_id: str, after: int) -> list[Row]:
        rows = self._select(_ROWS.format(table), run_id, after)
        return [decoded(table, row) for row in rows]

    def _select_runs(self, clause: str, *values: Any) -> list[Run]:
        sql = f"""
            SELECT runs.*, last.state, last.at AS state_at, last.message
            FROM runs JOIN transitions AS last
            ON last.id = (SELECT MAX(id) FROM transitions WHERE run_id = runs.id)
            {clause}"""  # noqa: S608 (clauses are written in this file, values are bound)
        return [run_from_row(row) for row in self._select(sql, *values)]


def _insert(connection: sqlite3.Connection, table: str, row: Row) -> None:
    """Insert one row; the table's name is this file's own."""
    columns, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
    if not all(name.isidentifier() for name in row):
        raise sqlite3.OperationalError(f"no such columns: {columns}")
    connection.execute(
        f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608
        tuple(encoded(value) for value in row.values()),
    )

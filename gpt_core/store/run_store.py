"""RunStore: what happened in each run, append-only, in one SQLite file. Imports no torch.

Rows are only ever added, and read by cursor (``id > after``), so any number of viewers in
any number of processes see the same run. A run's state is its latest transition, its name the
latest it was given.
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
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
from gpt_core.store.class_store import RUN, ClassStore
from gpt_core.store.database import Database, insert
from gpt_core.store.recovery import notices
from gpt_core.store.rows import Row, check_rows, decoded, run_from_row
from gpt_core.store.run import LIVE_STATES, STATES, Run, RunSummary
from gpt_core.store.runs_dir import require_local_file_system
from gpt_core.system import write_atomically

RECORD_TABLES: dict[type, str] = {
    StepRecord: "steps",
    EvaluationRecord: "evaluations",
    SampleRecord: "samples",
    ProbeRecord: "probes",
    UpdateRecord: "updates",
}
RUN_TABLES = (*RECORD_TABLES.values(), "transitions", "checkpoints", "labels")
_ROWS = "SELECT * FROM {} WHERE run_id = ? AND id > ? ORDER BY id"

SUMMARIES = """
    SELECT runs.id,
        COALESCE(step.global_step + 1, 0) AS steps_done,
        MAX(COALESCE(step.seconds, 0), COALESCE(last.seconds, 0), COALESCE(sample.seconds, 0))
            AS seconds,
        last.train_loss, last.val_loss,
        lowest.val_loss AS lowest_val_loss, lowest.global_step AS lowest_val_step
    FROM runs
    LEFT JOIN steps AS step
    ON step.id = (SELECT MAX(id) FROM steps WHERE run_id = runs.id)
    LEFT JOIN evaluations AS last
    ON last.id = (SELECT MAX(id) FROM evaluations WHERE run_id = runs.id)
    LEFT JOIN samples AS sample
    ON sample.id = (SELECT MAX(id) FROM samples WHERE run_id = runs.id)
    LEFT JOIN evaluations AS lowest ON lowest.id = (
        SELECT id FROM evaluations WHERE run_id = runs.id ORDER BY val_loss, id LIMIT 1
    )"""


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
        self._clock = clock
        # Ends of runs (state, actor, message) that cannot be written: they hold in this process.
        self.unsaved_final_states: dict[str, tuple[str, str, str]] = {}
        try:
            self.runs_dir.mkdir(parents=True, exist_ok=True)
            require_local_file_system(self.runs_dir)
            self._database = Database(self.runs_dir / "runs.sqlite")
            self.class_store = ClassStore(self._database, clock)
        except (OSError, sqlite3.Error) as error:
            raise ValueError(
                f"The runs directory {self.runs_dir} cannot be used ({error}): choose another one "
                "with --runs-dir or the environment variable GPT_LAB_RUNS_DIR."
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._database.close()

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
        initial_name: str = "",
        initial_sha256: str = "",
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
            "initial_name": initial_name,
            "initial_sha256": initial_sha256,
        }
        with self._database.transaction() as connection:
            insert(connection, "runs", row)
            self._add_transition(connection, run_id, "queued", owner, "")

    def add_recorded_run(self, facts: Row, records: Mapping[str, list[Row]]) -> None:
        """Write down a run that was recorded elsewhere, with all its rows, or nothing of it.

        It stands before all that were started here: the newest is one of those.

        Raises:
            ValueError: its ID is taken, or a row is not of its table.
        """
        try:
            with self._database.transaction() as connection:
                sql = "SELECT MIN(0, COALESCE(MIN(rowid), 0)) - 1 FROM runs"
                first = connection.execute(sql).fetchone()[0]
                check_rows("runs", [facts], self._kinds(connection, "runs"))
                insert(connection, "runs", {"rowid": first, **facts})
                for table, rows in records.items():
                    check_rows(table, rows, self._kinds(connection, table))
                    for row in rows:
                        insert(connection, table, {**row, "run_id": facts["id"]})
        except (ValueError, sqlite3.IntegrityError, sqlite3.OperationalError) as error:
            raise ValueError(f"The recorded run was not taken in: {error}.") from error

    def set_state(self, run_id: str, state: str, actor: str, message: str = "") -> None:
        """Write down a run's transition to another state, who caused it, and why."""
        assert state in STATES, state
        with self._database.transaction() as connection:
            self._add_transition(connection, run_id, state, actor, message)
        self.unsaved_final_states.pop(run_id, None)

    def keep_final_state(self, run_id: str, state: str, actor: str, message: str) -> None:
        """Show how a run ended, in this process, until that can be written down."""
        self.unsaved_final_states[run_id] = (state, actor, message)
        self._database.note_change()

    def add_records(
        self, run_id: str, records: Iterable[tuple[Record, float]], memory: int = 0
    ) -> None:
        """Write down records, each with the seconds spent on the run so far, all or none.

        ``memory`` is what the process holds as they are written, in bytes; it stands with steps.
        """
        with self._database.transaction() as connection:
            for record, seconds in records:
                row = {"run_id": run_id, **asdict(record), "seconds": seconds}
                if isinstance(record, StepRecord):
                    row["memory"] = memory
                insert(connection, RECORD_TABLES[type(record)], row)

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
        with self._database.transaction() as connection:
            insert(connection, "checkpoints", row)

    def remove_checkpoint(self, checkpoint_id: int) -> None:
        """Take a checkpoint's row away; do this before its folder goes."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM checkpoints WHERE id = ?", (checkpoint_id,))

    def add_label(self, run_id: str, name: str, note: str, actor: str) -> None:
        """Write down what a run is called from now on, what is noted about it, and by whom."""
        row = {"run_id": run_id, "at": self._clock(), "actor": actor, "name": name, "note": note}
        with self._database.transaction() as connection:
            insert(connection, "labels", row)

    def remove_run(self, run_id: str, actor: str) -> None:
        """Take all of a run's rows away, and write down who did; do this before its files go."""
        owned = [(s.run.owner, s.seconds) for s in self.summaries() if s.run.id == run_id]
        owner, seconds = owned[0] if owned else ("", 0.0)
        with self._database.transaction() as connection:
            for table in RUN_TABLES:
                sql = f"DELETE FROM {table} WHERE run_id = ?"  # noqa: S608 (names of this file)
                connection.execute(sql, (run_id,))
            connection.execute("DELETE FROM runs WHERE id = ?", (run_id,))
            connection.execute("DELETE FROM shares WHERE kind = ? AND key = ?", (RUN, run_id))
            row = {"run_id": run_id, "at": self._clock(), "actor": actor}
            insert(connection, "deletions", {**row, "owner": owner, "seconds": seconds})

    def save_text(self, text: str, sha256: str) -> None:
        """Keep a run's text by its content hash: resume needs it."""
        path = self.text_path(sha256)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, text.encode("utf-8"))

    # Reading

    def notices(self) -> dict[Path, str]:
        """Return what is to be told of damaged records, by the file in which each is told."""
        return notices(self.runs_dir)

    def version(self) -> tuple[int, int]:
        """Return what is different after anything was written: by this process at once, by
        another one within a quarter of a second.
        """
        return self._database.version()

    def text(self, sha256: str) -> str:
        """Return a text that a run was trained on.

        Raises:
            ValueError: it is missing or damaged.
        """
        path = self.text_path(sha256)
        data = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ValueError(
                f"The text that the run was trained on is missing or damaged: texts/{path.name} in "
                "the runs directory."
            )
        return data.decode("utf-8")

    def runs(self) -> list[Run]:
        """Return all runs, the newest first."""
        return self._select_runs("ORDER BY runs.rowid DESC")

    def run(self, run_id: str) -> Run | None:
        """Return one run, or None if there is none of this ID."""
        found = self._select_runs("WHERE runs.id = ?", run_id)
        return found[0] if found else None

    def latest_run(self) -> Run | None:
        """Return the run that was started last, or None in an empty store."""
        found = self._select_runs("ORDER BY runs.rowid DESC LIMIT 1")
        return found[0] if found else None

    def live_runs(self, as_written: bool = False) -> list[Run]:
        """Return the runs that are waiting, training or paused, the oldest first.

        ``as_written`` are those, too, whose end is held because it could not be written.
        """
        marks = ", ".join("?" * len(LIVE_STATES))
        clause = f"WHERE last.state IN ({marks}) ORDER BY runs.rowid"
        runs = self._select_runs(clause, *LIVE_STATES)
        return [run for run in runs if as_written or run.is_live]

    def summaries(self) -> list[RunSummary]:
        """Return all runs with how far they have come, the newest first.

        Each number is found by an index: what this takes does not grow with the runs' lengths.
        """
        numbers = {row.pop("id"): row for row in self._database.select(SUMMARIES)}
        return [RunSummary(run, **numbers[run.id]) for run in self.runs() if run.id in numbers]

    def deletions(self, after: int = 0) -> list[Row]:
        """Return the deletions of runs with ``id > after``, oldest first."""
        return self._database.select("SELECT * FROM deletions WHERE id > ? ORDER BY id", after)

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
        with self._database.reading() as connection:
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
        return [decoded("probes", row) for row in self._database.select(sql, run_id, global_step)]

    def best_checkpoint(self, run_id: str) -> Row | None:
        """Return the checkpoint at the step with the lowest validation loss, if there is one."""
        sql = """
            SELECT checkpoints.*, evaluations.val_loss FROM checkpoints
            JOIN evaluations USING (run_id, global_step)
            WHERE run_id = ? ORDER BY val_loss, global_step, kind LIMIT 1"""
        found = self._database.select(sql, run_id)
        return found[0] if found else None

    def checkpoint_bytes(self, owner: str) -> int:
        """Return what the checkpoints of somebody's runs take on the disk."""
        sql = """
            SELECT COALESCE(SUM(bytes), 0) AS bytes FROM checkpoints
            JOIN runs ON runs.id = run_id WHERE owner = ?"""
        return int(self._database.select(sql, owner)[0]["bytes"])

    def last_steps(self, run_id: str, count: int) -> list[Row]:
        """Return a run's last ``count`` steps, oldest first."""
        sql = "SELECT * FROM steps WHERE run_id = ? ORDER BY id DESC LIMIT ?"
        return self._database.select(sql, run_id, count)[::-1]

    def text_path(self, sha256: str) -> Path:
        """Return where a text lies, if it is kept."""
        return self.runs_dir / "texts" / f"{sha256}.txt"

    # Inside

    def _kinds(self, connection: sqlite3.Connection, table: str) -> dict[str, str]:
        """Return the type of each of a table's columns, by its name."""
        columns = connection.execute(f"PRAGMA table_info({table})")  # a name of this file
        return {column["name"]: column["type"] for column in columns}

    def _add_transition(
        self, connection: sqlite3.Connection, run_id: str, state: str, actor: str, message: str
    ) -> None:
        row = {"run_id": run_id, "at": self._clock(), "state": state, "actor": actor}
        insert(connection, "transitions", {**row, "message": message})

    def _select_rows(self, table: str, run_id: str, after: int) -> list[Row]:
        rows = self._database.select(_ROWS.format(table), run_id, after)
        return [decoded(table, row) for row in rows]

    def _select_runs(self, clause: str, *values: Any) -> list[Run]:
        sql = f"""
            SELECT runs.*, last.state, last.at AS state_at, last.message,
                COALESCE(labels.name, '') AS name, COALESCE(labels.note, '') AS note
            FROM runs
            JOIN transitions AS last
            ON last.id = (SELECT MAX(id) FROM transitions WHERE run_id = runs.id)
            LEFT JOIN labels
            ON labels.id = (SELECT MAX(id) FROM labels WHERE run_id = runs.id)
            {clause}"""  # noqa: S608 (clauses are written in this file, values are bound)
        runs = [run_from_row(row) for row in self._database.select(sql, *values)]
        return [self._with_end(run) if run.id in self.unsaved_final_states else run for run in runs]

    def _with_end(self, run: Run) -> Run:
        """Return a run with its end, which is held."""
        state, _, message = self.unsaved_final_states.get(run.id, (run.state, "", run.message))
        return replace(run, state=state, message=message)

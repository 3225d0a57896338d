"""RunReader: the reading half of the store."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from typing_extensions import override

from gpt_core.store.database import Database
from gpt_core.store.recorded_runs import RecordedRuns
from gpt_core.store.rows import (
    TABLES,
    Checkpoint,
    Deletion,
    Row,
    StoredEvaluation,
    StoredInside,
    StoredProbe,
    StoredRequest,
    StoredSample,
    StoredStep,
    StoredUpdate,
    Transition,
    column_names,
    decoded,
    from_row,
    run_from_row,
)
from gpt_core.store.run import LIVE_STATES, Run, RunState, RunSummary

T = TypeVar("T")
MAX_TEXT_BYTES = 2**27  # of a text that is read at once; a larger one stays in its file

SUMMARIES = """
    SELECT runs.id,
        COALESCE(step.global_step + 1, 0) AS steps_done,
        MAX(COALESCE(step.seconds, 0), COALESCE(last.seconds, 0), COALESCE(sample.seconds, 0))
            AS seconds,
        last.train_loss, last.val_loss, last.val_bits_per_byte,
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


@dataclass(frozen=True)
class RunRecords:
    """Some of a run's records, read in one snapshot, so that the lists are consistent."""

    steps: list[StoredStep] = field(default_factory=list)
    evaluations: list[StoredEvaluation] = field(default_factory=list)
    samples: list[StoredSample] = field(default_factory=list)
    probes: list[StoredProbe] = field(default_factory=list)
    updates: list[StoredUpdate] = field(default_factory=list)
    inside: list[StoredInside] = field(default_factory=list)


RECORD_KINDS: dict[str, type] = {
    kind_table: kind
    for kind, kind_table in TABLES.items()
    if kind_table in RunRecords.__annotations__
}


@dataclass(frozen=True)
class FinalState:
    """How a run ended: its state, who ended it, and why."""

    state: RunState
    actor: str
    message: str


class RunReader(RecordedRuns):
    """Read runs and their records, from any number of threads.

    Args:
        runs_dir: the runs directory, which holds the texts.
        database: the store's database.
    """

    def __init__(self, runs_dir: Path, database: Database) -> None:
        self.runs_dir = runs_dir
        self._database = database
        self._unsaved_final_states: dict[str, FinalState] = {}  # replaced entry by entry
        self._vocabulary = lru_cache(maxsize=32)(self._read_vocabulary)  # by hash: it never changes

    @override
    def runs(self) -> list[Run]:
        return self._select_runs("ORDER BY runs.rowid DESC")

    @override
    def run(self, run_id: str) -> Run | None:
        found = self._select_runs("WHERE runs.id = ?", run_id)
        return found[0] if found else None

    @override
    def latest_run(self) -> Run | None:
        found = self._select_runs("ORDER BY runs.rowid DESC LIMIT 1")
        return found[0] if found else None

    @override
    def live_runs(self) -> list[Run]:
        return [run for run in self.runs_recorded_as_live() if run.is_live]

    def runs_recorded_as_live(self) -> list[Run]:
        """Return the live runs, and those whose end could not be recorded."""
        marks = ", ".join("?" * len(LIVE_STATES))
        clause = f"WHERE last.state IN ({marks}) ORDER BY runs.rowid"
        return self._select_runs(clause, *LIVE_STATES)

    @override
    def summaries(self) -> list[RunSummary]:
        # Each number is found by an index: the time does not grow with the runs' lengths.
        numbers = {row.pop("id"): row for row in self._database.select(SUMMARIES)}
        return [RunSummary(run, **numbers[run.id]) for run in self.runs() if run.id in numbers]

    @override
    def last_steps(self, run_id: str, count: int) -> list[StoredStep]:
        return self._select(StoredStep, "run_id = ? ORDER BY id DESC LIMIT ?", run_id, count)[::-1]

    @override
    def vocabulary(self, sha256: str) -> str:
        return self._vocabulary(sha256) if sha256 else ""

    def _read_vocabulary(self, sha256: str) -> str:
        found = self._database.select("SELECT tokenizer FROM vocabularies WHERE sha256 = ?", sha256)
        vocabulary = str(found[0]["tokenizer"]) if found else ""
        if hashlib.sha256(vocabulary.encode()).hexdigest() != sha256:
            raise ValueError("The run's vocabulary is missing or damaged in the record.")
        return vocabulary

    @override
    def probes(self, run_id: str) -> list[StoredProbe]:
        return self._select(StoredProbe, "run_id = ? ORDER BY id", run_id)

    @override
    def probes_at(self, run_id: str, global_step: int) -> list[StoredProbe]:
        where = "run_id = ? AND global_step = ? ORDER BY probe"
        return self._select(StoredProbe, where, run_id, global_step)

    @override
    def inside(self, run_id: str) -> list[StoredInside]:
        return self.records_since(run_id, ("inside",), {}).inside

    @override
    def checkpoints(self, run_id: str) -> list[Checkpoint]:
        return self._select(Checkpoint, "run_id = ? ORDER BY id", run_id)

    @override
    def best_checkpoint(self, run_id: str) -> Checkpoint | None:
        found = self.best_checkpoint_and_loss(run_id)
        return found[0] if found else None

    def best_checkpoint_and_loss(self, run_id: str) -> tuple[Checkpoint, float] | None:
        """Return the best checkpoint with its validation loss, if there is one."""
        sql = """
            SELECT checkpoints.*, evaluations.val_loss FROM checkpoints
            JOIN evaluations USING (run_id, global_step)
            WHERE run_id = ? ORDER BY val_loss, global_step, kind LIMIT 1"""
        found = self._database.select(sql, run_id)
        if not found:
            return None
        val_loss = float(found[0].pop("val_loss"))
        return from_row(Checkpoint, found[0]), val_loss

    def steps(self, run_id: str, after: int = 0) -> list[StoredStep]:
        """Return a run's steps with ``id > after``, oldest first."""
        return self._select(StoredStep, "run_id = ? AND id > ? ORDER BY id", run_id, after)

    def evaluations(self, run_id: str, after: int = 0) -> list[StoredEvaluation]:
        """Return a run's evaluations with ``id > after``, oldest first."""
        return self._select(StoredEvaluation, "run_id = ? AND id > ? ORDER BY id", run_id, after)

    def samples(self, run_id: str, after: int = 0) -> list[StoredSample]:
        """Return a run's samples with ``id > after``, oldest first."""
        return self._select(StoredSample, "run_id = ? AND id > ? ORDER BY id", run_id, after)

    def updates(self, run_id: str) -> list[StoredUpdate]:
        """Return a run's inspected updates, oldest first."""
        return self._select(StoredUpdate, "run_id = ? ORDER BY id", run_id)

    def transitions(self, run_id: str) -> list[Transition]:
        """Return a run's transitions, oldest first."""
        return self._select(Transition, "run_id = ? ORDER BY id", run_id)

    def deletions(self, after: int = 0) -> list[Deletion]:
        """Return the deletions of runs with ``id > after``, oldest first."""
        return self._select(Deletion, "id > ? ORDER BY id", after)

    def open_requests(self, run_id: str | None = None) -> list[StoredRequest]:
        """Return the requests to a run that are not answered yet, oldest first; None: to any."""
        where = "answered_at IS NULL AND (run_id = ?1 OR ?1 IS NULL) ORDER BY id"
        return self._select(StoredRequest, where, run_id)

    def request(self, request_id: int) -> StoredRequest | None:
        """Return the request with this ID, or None if its run was deleted."""
        found = self._select(StoredRequest, "id = ?", request_id)
        return found[0] if found else None

    def last_request(self, run_id: str) -> StoredRequest | None:
        """Return the last request to a run from another process, or None if there was none."""
        found = self._select(StoredRequest, "run_id = ? ORDER BY id DESC LIMIT 1", run_id)
        return found[0] if found else None

    def records_since(
        self, run_id: str, tables: Sequence[str], after: Mapping[str, int]
    ) -> RunRecords:
        """Return a run's records with ``id > after[kind]``, all kinds from one snapshot.

        Args:
            run_id: the run.
            tables: the kinds to read, by the names of :class:`RunRecords`' lists; the others stay
                empty.
            after: the last ID read of each kind; a missing kind is read from the start.
        """
        return self._records("id", {table: (run_id, after.get(table, 0)) for table in tables})

    def records_after_step(self, run_id: str, global_step: int) -> RunRecords:
        """Return a run's records of all kinds that came after a step."""
        return self._records("global_step", dict.fromkeys(RECORD_KINDS, (run_id, global_step)))

    def rows_of(
        self,
        run_id: str,
        tables: Sequence[str],
        after: Mapping[str, int] | None = None,
        at_most: int = -1,
    ) -> dict[str, list[Row]]:
        """Return a run's rows in some tables, to export or to send them, from one snapshot.

        Args:
            run_id: the run.
            tables: the tables to read.
            after: the last ID read of each table; a missing table is read from the start.
            at_most: how many rows of each table to read; -1 reads all.
        """
        with self._database.reading() as connection:
            return {
                table: [
                    decoded(table, dict(row))
                    for row in connection.execute(
                        f"SELECT * FROM {table} WHERE run_id = ? AND id > ? "  # noqa: S608
                        "ORDER BY id LIMIT ?",
                        (run_id, (after or {}).get(table, 0), at_most),
                    )
                ]
                for table in tables
            }

    def count_rows(self, run_id: str, tables: Sequence[str], after: Mapping[str, int]) -> int:
        """Return how many rows of a run have ``id > after[table]``, over some tables."""
        with self._database.reading() as connection:
            counts = (
                connection.execute(
                    f"SELECT COUNT(*) FROM {table} WHERE run_id = ? AND id > ?",  # noqa: S608
                    (run_id, after.get(table, 0)),
                ).fetchone()[0]
                for table in tables
            )
            return sum(map(int, counts))

    def published_cursors(self, run_id: str) -> dict[str, int] | None:
        """Return the last row received of each table of a published run, by its ID there.

        Returns: None if no other machine publishes such a run here.
        """
        found = self._database.select("SELECT cursors FROM published_runs WHERE run_id = ?", run_id)
        return json.loads(found[0]["cursors"]) if found else None

    def checkpoint_bytes(self, owner: str) -> int:
        """Return the bytes of the checkpoints of an owner's runs."""
        sql = """
            SELECT COALESCE(SUM(bytes), 0) AS bytes FROM checkpoints
            JOIN runs ON runs.id = run_id WHERE owner = ?"""
        return int(self._database.select(sql, owner)[0]["bytes"])

    def final_state(self, run_id: str) -> FinalState | None:
        """Return a run's final state in this process, if it could not be recorded yet."""
        return self._unsaved_final_states.get(run_id)

    def text(self, sha256: str) -> str:
        """Return a text that a run was trained on.

        Raises:
            ValueError: the text is missing, damaged, or too large to be read at once.
        """
        path = self.text_path(sha256)
        if path.exists() and (size := path.stat().st_size) > MAX_TEXT_BYTES:
            raise ValueError(
                f"The text has {size / 1e6:,.0f} MB, too much to be read at once: it is "
                f"texts/{path.name} in the runs directory."
            )
        data = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ValueError(
                f"The text that the run was trained on is missing or damaged: texts/{path.name} in "
                "the runs directory."
            )
        return data.decode("utf-8")

    def text_path(self, sha256: str) -> Path:
        """Return the path of a text, whether it exists or not."""
        return self.runs_dir / "texts" / f"{sha256}.txt"

    def _records(self, column: str, limits: Mapping[str, tuple[str, int]]) -> RunRecords:
        """Return, of each table, a run's records whose column is above a limit: one snapshot."""
        found: dict[str, Any] = {}
        with self._database.reading() as connection:
            for table, (run_id, limit) in limits.items():
                kind = RECORD_KINDS[table]
                rows = connection.execute(
                    f"SELECT {column_names(kind)} FROM {table} "  # noqa: S608 (names of ours)
                    f"WHERE run_id = ? AND {column} > ? ORDER BY id",
                    (run_id, limit),
                )
                found[table] = [from_row(kind, dict(row)) for row in rows]
        return RunRecords(**found)

    def _select(self, kind: type[T], where: str, *values: Any) -> list[T]:
        """Return the objects of a kind whose rows satisfy a condition."""
        sql = f"SELECT {column_names(kind)} FROM {TABLES[kind]} WHERE {where}"  # noqa: S608
        return [from_row(kind, row) for row in self._database.select(sql, *values)]

    def _select_runs(self, clause: str, *values: Any) -> list[Run]:
        sql = f"""
            SELECT runs.*, last.state, last.at AS state_at, last.message,
                last.actor AS state_actor,
                COALESCE(labels.name, '') AS name, COALESCE(labels.note, '') AS note,
                COALESCE(published_runs.origin, '') AS origin,
                COALESCE(published_runs.received_at, 0) AS received_at
            FROM runs
            JOIN transitions AS last
            ON last.id = (SELECT MAX(id) FROM transitions WHERE run_id = runs.id)
            LEFT JOIN labels
            ON labels.id = (SELECT MAX(id) FROM labels WHERE run_id = runs.id)
            LEFT JOIN published_runs ON published_runs.run_id = runs.id
            {clause}"""  # noqa: S608 (clauses are written in this file, values are bound)
        runs = [run_from_row(row) for row in self._database.select(sql, *values)]
        return [self._with_final_state(run) for run in runs]

    def _with_final_state(self, run: Run) -> Run:
        """Return a run in its final state, if that could not be recorded yet."""
        final = self._unsaved_final_states.get(run.id)
        if final is None:
            return run
        return replace(run, state=final.state, state_actor=final.actor, message=final.message)

"""RunWriter: the writing half of the store."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from typing_extensions import override

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.records import (
    EvaluationRecord,
    InsideRecord,
    ProbeRecord,
    Record,
    SampleRecord,
    StepRecord,
    UpdateRecord,
)
from gpt_core.store.database import Database, insert
from gpt_core.store.rows import Row, check_rows
from gpt_core.store.run import (
    PROCESS_FACTS,
    SILENT_SECONDS,
    Baselines,
    CheckpointKind,
    Command,
    Run,
    RunState,
    ShareKind,
)
from gpt_core.store.run_reader import FinalState, RunReader
from gpt_core.system import write_atomically
from gpt_core.validation import shown

RECORD_TABLES: dict[type, str] = {
    StepRecord: "steps",
    EvaluationRecord: "evaluations",
    SampleRecord: "samples",
    ProbeRecord: "probes",
    UpdateRecord: "updates",
    InsideRecord: "inside",
}
RUN_TABLES = (
    *RECORD_TABLES.values(),
    "transitions",
    "checkpoints",
    "labels",
    "requests",
    "published_runs",
)
PUBLISHED_TABLES = (*RECORD_TABLES.values(), "labels", "transitions")  # whose rows are sent
HEARD_SECONDS = 5.0  # between two notes that a machine was heard of


class RunWriter(RunReader):
    """Record runs and their records, one transaction at a time.

    Args:
        runs_dir: the runs directory, which holds the texts.
        database: the store's database.
        clock: returns the time in seconds since 1970.
    """

    def __init__(self, runs_dir: Path, database: Database, clock: Callable[[], float]) -> None:
        super().__init__(runs_dir, database)
        self._clock = clock

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
        vocabulary: str = "",
        baselines: Baselines | None = None,
    ) -> None:
        """Record a new run, in state ``queued``, with its vocabulary, a tokenizer.json."""
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
            "baselines": baselines,
        }
        with self._database.transaction() as connection:
            row["vocabulary_sha256"] = self._add_vocabulary(connection, vocabulary)
            insert(connection, "runs", row)
            self._add_transition(connection, run_id, RunState.QUEUED, owner, "")

    def add_recorded_run(
        self, facts: Row, records: Mapping[str, list[Row]], vocabulary: str = ""
    ) -> None:
        """Import a run that was recorded elsewhere, with all its rows or none.

        It is ordered before all other runs, so that the latest run is one started here.

        Raises:
            ValueError: the run's ID is taken, or a row does not fit its table.
        """
        try:
            with self._database.transaction() as connection:
                sql = "SELECT MIN(0, COALESCE(MIN(rowid), 0)) - 1 FROM runs"
                first = connection.execute(sql).fetchone()[0]
                check_rows("runs", [facts], self._kinds(connection, "runs"))
                sha256 = self._add_vocabulary(connection, vocabulary)
                facts = {**facts, "vocabulary_sha256": sha256}
                insert(connection, "runs", {"rowid": first, **facts})
                for table, rows in records.items():
                    check_rows(table, rows, self._kinds(connection, table))
                    for row in rows:
                        insert(connection, table, {**row, "run_id": facts["id"]})
        except (ValueError, sqlite3.IntegrityError, sqlite3.OperationalError) as error:
            raise ValueError(f"The recorded run was not imported: {error}.") from error

    def add_published_run(self, facts: Row, vocabulary: str, origin: str, transition: Row) -> None:
        """Record a run that another machine trains; its rows follow.

        Args:
            facts: the run's row.
            vocabulary: its tokenizer.json; "" for GPT-2's.
            origin: the machine's name.
            transition: the run's first transition, with the ID that it has there.

        Raises:
            ValueError: the run's ID is taken, or a fact does not fit.
        """
        run_id, cursors = facts["id"], {"transitions": transition["id"]}
        row = {"run_id": run_id, "origin": origin, "received_at": self._clock(), "cursors": cursors}
        try:
            with self._database.transaction() as connection:
                check_rows("runs", [facts], self._kinds(connection, "runs"))
                sha256 = self._add_vocabulary(connection, vocabulary)
                insert(connection, "runs", {**facts, "vocabulary_sha256": sha256})
                insert(connection, "published_runs", row)
                self._add_received(connection, run_id, "transitions", [transition])
        except sqlite3.IntegrityError as error:
            raise ValueError(f"the run does not fit ({error})") from error

    def add_published_rows(
        self, run_id: str, after: Mapping[str, int], rows: Mapping[str, list[Row]]
    ) -> dict[str, int]:
        """Add rows that another machine sent of its run, all or none; return the new cursors.

        Each row has the ID that it has there. Rows that were received before are left out: to send
        rows twice changes nothing. If rows before these are missing, none is added, and the cursors
        say which to send first.

        Args:
            run_id: the run.
            after: the last ID before the rows of each table.
            rows: the rows of each table, oldest first.

        Raises:
            KeyError: no other machine publishes such a run here.
            ValueError: a row does not fit its table.
        """
        now = self._clock()
        select = "SELECT cursors, received_at FROM published_runs WHERE run_id = ?"
        found = self._database.select(select, run_id)
        if not found:
            raise KeyError(run_id)
        if not any(rows.values()) and abs(now - found[0]["received_at"]) < HEARD_SECONDS:
            return dict(json.loads(found[0]["cursors"]))  # nothing is written: no page reads again
        try:
            with self._database.transaction() as connection:
                connection.execute("BEGIN IMMEDIATE")  # no other process adds between
                current = connection.execute(select, (run_id,)).fetchone()
                if current is None:
                    raise KeyError(run_id)
                cursors: dict[str, int] = json.loads(current["cursors"])
                if all(after.get(table, 0) <= cursors.get(table, 0) for table in rows):
                    for table, sent in rows.items():
                        new = [row for row in sent if row["id"] > cursors.get(table, 0)]
                        self._add_received(connection, run_id, table, new)
                        cursors |= {table: new[-1]["id"]} if new else {}
                connection.execute(
                    "UPDATE published_runs SET cursors = ?, received_at = ? WHERE run_id = ?",
                    (json.dumps(cursors), now, run_id),
                )
        except sqlite3.IntegrityError as error:
            raise ValueError(f"the rows do not fit ({error})") from error
        return cursors

    def _add_received(
        self, connection: sqlite3.Connection, run_id: str, table: str, rows: list[Row]
    ) -> None:
        """Add rows from elsewhere, with new IDs."""
        check_rows(table, rows, self._kinds(connection, table))
        for row in rows:
            insert(connection, table, {**row, "id": None, "run_id": run_id})

    @override
    def live_runs(self) -> list[Run]:
        # A published run of which nothing comes any more may be dead: it is no run to begin with.
        return [run for run in super().live_runs() if not self.seconds_silent(run)]

    def seconds_silent(self, run: Run) -> float:
        """Return for how long nothing has come of a live run from the machine that trains it.

        Returns: 0.0 if it was heard of lately, has ended, or trains on this machine.
        """
        silent = self._clock() - run.received_at
        return silent if run.origin and run.is_live and silent > SILENT_SECONDS else 0.0

    def set_processes(self, run_id: str, facts: Mapping[str, str]) -> None:
        """Record what is said of the processes that train a run from now on; of one, nothing."""
        with self._database.transaction() as connection:
            query = "SELECT versions FROM runs WHERE id = ?"
            versions = json.loads(connection.execute(query, (run_id,)).fetchone()["versions"])
            others = {name: versions[name] for name in versions if name not in PROCESS_FACTS}
            values = (json.dumps({**others, **facts}), run_id)
            connection.execute("UPDATE runs SET versions = ? WHERE id = ?", values)

    def set_state(self, run_id: str, state: RunState, actor: str, message: str = "") -> None:
        """Record a run's transition to a state, with its actor and a message."""
        with self._database.transaction() as connection:
            self._add_transition(connection, run_id, state, actor, message)
        self.discard_unsaved(run_id)

    def keep_final_state(self, run_id: str, final: FinalState) -> None:
        """Hold a run's final state in memory, for this process, until it can be recorded."""
        self._unsaved_final_states[run_id] = final
        self._database.note_change()

    def discard_unsaved(self, run_id: str) -> None:
        """Drop a run's final state that could not be recorded and no longer applies."""
        self._unsaved_final_states.pop(run_id, None)

    def add_records(
        self, run_id: str, records: Iterable[tuple[Record, float]], memory: int = 0
    ) -> None:
        """Add a run's records, each with the seconds spent on the run so far, all or none.

        ``memory`` is the process's memory in bytes; it is stored with the steps.
        """
        with self._database.transaction() as connection:
            for record, seconds in records:
                row = {"run_id": run_id, **asdict(record), "seconds": seconds}
                if isinstance(record, StepRecord):
                    row["memory"] = memory
                insert(connection, RECORD_TABLES[type(record)], row)

    def add_checkpoint(
        self, run_id: str, global_step: int, kind: CheckpointKind, folder: Path, written: int
    ) -> None:
        """Record a checkpoint whose folder is complete on disk; ``written`` is its bytes."""
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
        """Delete a checkpoint's row; do this before deleting its folder."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM checkpoints WHERE id = ?", (checkpoint_id,))

    def add_label(self, run_id: str, name: str, note: str, actor: str) -> None:
        """Record a run's new name and note, and who gave them."""
        row = {"run_id": run_id, "at": self._clock(), "actor": actor, "name": name, "note": note}
        with self._database.transaction() as connection:
            insert(connection, "labels", row)

    def ask(self, run_id: str, command: str, actor: str) -> int:
        """Record a request to a run that another process trains, and return its ID.

        That process serves it between two steps and records the answer. A request that is already
        open is not recorded twice: its ID is returned.

        Args:
            run_id: the run.
            command: one of :class:`Command`, except a snapshot, which stays within a process.
            actor: who asks; the process that trains the run checks what they may do.

        Raises:
            ValueError: there is no such command.
        """
        if command not in set(Command) - {Command.SNAPSHOT}:
            raise ValueError(f"A run of another process cannot {shown(command)}.")
        with self._database.transaction() as connection:
            sql = "SELECT id FROM requests WHERE run_id = ? AND command = ? AND answered_at IS NULL"
            found = connection.execute(sql, (run_id, command)).fetchone()
            if found is None:
                row = {"run_id": run_id, "actor": actor, "command": command}
                insert(connection, "requests", {**row, "asked_at": self._clock()})
                found = connection.execute("SELECT last_insert_rowid()").fetchone()
            return int(found[0])

    def answer(self, request_id: int, error: str = "") -> None:
        """Record that a request was served or, in a sentence, why not; the first answer counts."""
        self._answer("id = ?", request_id, error)

    def answer_all(self, run_id: str, error: str) -> None:
        """Record why none of a run's open requests is served any more."""
        if self.open_requests(run_id):
            self._answer("run_id = ?", run_id, error)

    def _answer(self, where: str, key: str | int, error: str) -> None:
        sql = "UPDATE requests SET answered_at = ?, error = ? WHERE answered_at IS NULL AND "
        with self._database.transaction() as connection:
            connection.execute(sql + where, (self._clock(), error, key))

    def remove_run(self, run_id: str, actor: str) -> None:
        """Delete all of a run's rows, and record who did; do this before deleting its files."""
        owned = [(s.run.owner, s.seconds) for s in self.summaries() if s.run.id == run_id]
        owner, seconds = owned[0] if owned else ("", 0.0)
        with self._database.transaction() as connection:
            for table in RUN_TABLES:
                sql = f"DELETE FROM {table} WHERE run_id = ?"  # noqa: S608 (names of this file)
                connection.execute(sql, (run_id,))
            connection.execute("DELETE FROM runs WHERE id = ?", (run_id,))
            connection.execute(
                "DELETE FROM vocabularies WHERE sha256 NOT IN (SELECT vocabulary_sha256 FROM runs)"
            )
            connection.execute(
                "DELETE FROM shares WHERE kind = ? AND key = ?", (ShareKind.RUN, run_id)
            )
            row = {"run_id": run_id, "at": self._clock(), "actor": actor}
            insert(connection, "deletions", {**row, "owner": owner, "seconds": seconds})

    def save_text(self, text: str | Path, sha256: str) -> None:
        """Save a run's text, or a copy of its file, under its content hash: resuming needs it.

        Raises:
            ValueError: the file has changed, and its hash is another.
            OSError: the disk is full, or the file cannot be read.
        """
        path = self.text_path(sha256)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            data = text.encode("utf-8") if isinstance(text, str) else _blocks(text, sha256)
            write_atomically(path, data)

    def _add_vocabulary(self, connection: sqlite3.Connection, vocabulary: str) -> str:
        """Add a vocabulary, unless another run has it, and return its hash; "" for GPT-2's."""
        if not vocabulary:
            return ""
        sha256 = hashlib.sha256(vocabulary.encode()).hexdigest()
        connection.execute("INSERT OR IGNORE INTO vocabularies VALUES (?, ?)", (sha256, vocabulary))
        return sha256

    def _kinds(self, connection: sqlite3.Connection, table: str) -> dict[str, str]:
        """Return the type of each of a table's columns, by name."""
        columns = connection.execute(f"PRAGMA table_info({table})")  # a name of this file
        return {column["name"]: column["type"] for column in columns}

    def _add_transition(
        self, connection: sqlite3.Connection, run_id: str, state: RunState, actor: str, message: str
    ) -> None:
        row = {"run_id": run_id, "at": self._clock(), "state": state, "actor": actor}
        insert(connection, "transitions", {**row, "message": message})


def _blocks(path: Path, sha256: str) -> Iterator[bytes]:
    """Yield the blocks of a file; after the last one, check that they have this hash."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
            yield block
    if digest.hexdigest() != sha256:
        raise ValueError(f"{path} was changed while it was read: start the run again.")

"""Board: what is on record, as all viewers see it, read once after each change."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from gpt_core.analysis.run_history import TABLES, HistoryReader, Numbers, RunHistory
from gpt_core.store import Row, Run, RunStore, RunSummary, Shared, mark_interrupted_runs

T = TypeVar("T")

MAX_ROWS = 2_000_000  # of histories that stand in memory, at about 100 bytes a step
MAX_CURVE_ROWS = 400_000  # of evaluations alone, for comparing
FRESH_SECONDS = 0.5
CHECK_SECONDS = 1.0  # how often it is looked whether the processes of live runs are still there


class CachedStore:
    """The store for those who look often and together: thirty pages, every second.

    What one of them has read is there for the others until something is written, by whatever
    process; then it is read again.

    Args:
        store: where the runs are written down.
        timer: a clock in seconds that never jumps.
        fresh_seconds: how often at most a run that trains is read, and drawn anew for all.
    """

    def __init__(
        self,
        store: RunStore,
        timer: Callable[[], float] = time.monotonic,
        fresh_seconds: Callable[[], float] = lambda: FRESH_SECONDS,
    ) -> None:
        self._store = store
        self._timer = timer
        self._fresh_seconds = fresh_seconds
        self._lock = threading.RLock()  # guards all below
        self._version: tuple[int, int] | None = None
        self._read: dict[Hashable, Any] = {}
        self._readers: OrderedDict[str, HistoryReader] = OrderedDict()
        self._curves: OrderedDict[str, HistoryReader] = OrderedDict()
        self._last_deletion = 0
        self._checked = timer() - CHECK_SECONDS

    def live_runs(self) -> list[Run]:
        """Return the live runs of every process, the oldest first."""
        with self._lock:
            is_due = self._timer() - self._checked >= CHECK_SECONDS
            if is_due:
                self._checked = self._timer()
        if is_due:
            mark_interrupted_runs(self._store)
        return self.once("live", self._store.live_runs)

    def latest_run(self) -> Run | None:
        """Return the run that was started last, or None in an empty store."""
        return self.once("latest", self._store.latest_run)

    def run(self, run_id: str) -> Run | None:
        """Return one run, or None if there is none of this ID."""
        return self.once(("run", run_id), lambda: self._store.run(run_id))

    def summaries(self) -> list[RunSummary]:
        """Return all runs with how far they have come, the newest first."""
        return self.once("summaries", self._store.summaries)

    def checkpoints(self, run_id: str) -> list[Row]:
        """Return a run's checkpoints, oldest first."""
        return self.once(("checkpoints", run_id), lambda: self._store.checkpoints(run_id))

    def probes_at(self, run_id: str, global_step: int) -> list[Row]:
        """Return what the evaluation after a step made of each probe."""
        key = ("probes", run_id, global_step)
        return self.once(key, lambda: self._store.probes_at(run_id, global_step))

    def probes(self, run_id: str) -> list[Row]:
        """Return a run's probes, oldest first."""
        return self.once(("all probes", run_id), lambda: self._store.probes(run_id))

    def best_checkpoint(self, run_id: str) -> Row | None:
        """Return the checkpoint at the step with the lowest validation loss, if there is one."""
        return self.once(("best", run_id), lambda: self._store.best_checkpoint(run_id))

    def last_steps(self, run_id: str, count: int) -> list[Row]:
        """Return a run's last ``count`` steps, oldest first."""
        key = ("last steps", run_id, count)
        return self.once(key, lambda: self._store.last_steps(run_id, count))

    def shared(self) -> Shared:
        """Return what is shown to the whole class."""
        return self.once("shared", self._store.class_store.shared)

    def names(self) -> dict[str, str]:
        """Return what each member of a class is called, by ID."""
        return self.once("names", self._store.class_store.names)

    def history(self, run_id: str) -> RunHistory:
        """Return all that a run has recorded; of one that trains, as of a moment ago."""
        return self._read_on(self._readers, run_id, TABLES, MAX_ROWS)

    def evaluations(self, run_id: str) -> Numbers:
        """Return a run's evaluations alone, as fresh as :meth:`history`: of many runs at once."""
        return self._read_on(self._curves, run_id, ("evaluations",), MAX_CURVE_ROWS).evaluations

    def _read_on(
        self,
        readers: OrderedDict[str, HistoryReader],
        run_id: str,
        tables: tuple[str, ...],
        most: int,
    ) -> RunHistory:
        with self._lock:
            self._forget_deleted_runs()
            reader = readers.setdefault(run_id, HistoryReader(run_id, tables))
            readers.move_to_end(run_id)
            while len(readers) > 1 and sum(r.length for r in readers.values()) > most:
                readers.popitem(last=False)
            run, now = self.run(run_id), self._timer()
            trains = run is not None and run.state == "running"
            if (
                reader.history is None
                or not trains
                or now - reader.read_at >= self._fresh_seconds()
            ):
                reader.read_at = now
                key = ("history", run_id, tables)
                return self.once(key, lambda: reader.read_on(self._store))
            return reader.history

    def _forget_deleted_runs(self) -> None:
        """Read anew what may have come back under the ID of a run that was deleted."""
        deletions = self.once("deletions", lambda: self._store.deletions(self._last_deletion))
        for row in deletions:
            self._last_deletion = max(self._last_deletion, row["id"])
            self._readers.pop(row["run_id"], None)
            self._curves.pop(row["run_id"], None)
        deletions.clear()

    def once(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return what was read, or made of it, since the last change, or read it now."""
        with self._lock:
            version = self._store.version()  # asked first: what is read may be newer, never older
            if version != self._version:
                self._version = version
                self._read.clear()
            if key not in self._read:
                self._read[key] = read()
            found: T = self._read[key]
            return found

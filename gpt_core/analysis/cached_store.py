"""CachedStore: the store, read once after each change for all pages together."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from typing_extensions import override

from gpt_core.analysis.inside import InsideReader
from gpt_core.analysis.run_history import TABLES, CachedHistory, HistoryReader, Numbers
from gpt_core.store import (
    Checkpoint,
    RecordedRuns,
    Run,
    RunState,
    RunStore,
    RunSummary,
    Shared,
    StoredInside,
    StoredProbe,
    StoredRequest,
    StoredStep,
    mark_interrupted_runs,
)

T = TypeVar("T")

MAX_ROWS = 2_000_000  # of histories in memory, at about 100 bytes per step
MAX_CURVE_ROWS = 400_000  # of evaluations alone, for comparisons
MAX_INSIDE_ROWS = 320  # of models' insides, at about 100 kB; a run has at most 40
FRESH_SECONDS = 0.5
CHECK_SECONDS = 1.0  # how often live runs are checked for a living process


class CachedStore(RecordedRuns):
    """A cache in front of the store, for thirty pages that read every second.

    What one page has read is reused by the others until a process writes to the store.

    Args:
        store: the store of the runs.
        timer: a monotonic clock, in seconds.
        fresh_seconds: returns the minimum seconds between two readings of a training run.
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
        self._insides: OrderedDict[str, InsideReader] = OrderedDict()
        self._last_deletion = 0
        self._checked = timer() - CHECK_SECONDS

    def cached(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return the value of a key; call ``read`` if the store has changed since it was cached."""
        with self._lock:
            version = self._store.version()  # first: data may be newer, never older
            if version != self._version:
                self._version = version
                self._read.clear()
            if key not in self._read:
                self._read[key] = read()
            found: T = self._read[key]
            return found

    @override
    def runs(self) -> list[Run]:
        return [summary.run for summary in self.summaries()]

    @override
    def run(self, run_id: str) -> Run | None:
        return self.cached(("run", run_id), lambda: self._store.run(run_id))

    @override
    def latest_run(self) -> Run | None:
        return self.cached("latest", self._store.latest_run)

    @override
    def live_runs(self) -> list[Run]:
        with self._lock:
            is_due = self._timer() - self._checked >= CHECK_SECONDS
            if is_due:
                self._checked = self._timer()
        if is_due:
            mark_interrupted_runs(self._store)
        return self.cached("live", self._store.live_runs)

    @override
    def summaries(self) -> list[RunSummary]:
        return self.cached("summaries", self._store.summaries)

    @override
    def last_steps(self, run_id: str, count: int) -> list[StoredStep]:
        key = ("last steps", run_id, count)
        return self.cached(key, lambda: self._store.last_steps(run_id, count))

    @override
    def vocabulary(self, sha256: str) -> str:
        return self._store.vocabulary(sha256)

    @override
    def probes(self, run_id: str) -> list[StoredProbe]:
        return self.cached(("all probes", run_id), lambda: self._store.probes(run_id))

    @override
    def probes_at(self, run_id: str, global_step: int) -> list[StoredProbe]:
        key = ("probes", run_id, global_step)
        return self.cached(key, lambda: self._store.probes_at(run_id, global_step))

    @override
    def inside(self, run_id: str) -> tuple[StoredInside, ...]:
        with self._lock:
            self._forget_deleted_runs()
            reader = self._insides.setdefault(run_id, InsideReader(run_id))
            self._insides.move_to_end(run_id)
            rows = sum(len(reader.records) for reader in self._insides.values())
            while len(self._insides) > 1 and rows > MAX_INSIDE_ROWS:
                _, oldest = self._insides.popitem(last=False)
                rows -= len(oldest.records)
            return self.cached(("inside", run_id), lambda: reader.read_new(self._store))

    @override
    def checkpoints(self, run_id: str) -> list[Checkpoint]:
        return self.cached(("checkpoints", run_id), lambda: self._store.checkpoints(run_id))

    @override
    def best_checkpoint(self, run_id: str) -> Checkpoint | None:
        return self.cached(("best", run_id), lambda: self._store.best_checkpoint(run_id))

    def last_request(self, run_id: str) -> StoredRequest | None:
        """Return the last request to a run from another process, or None if there was none."""
        return self.cached(("request", run_id), lambda: self._store.last_request(run_id))

    def history(self, run_id: str) -> CachedHistory:
        """Return a run's history; that of a training run may be ``fresh_seconds`` old."""
        return self._read_history(self._readers, run_id, TABLES, MAX_ROWS)

    def evaluations(self, run_id: str) -> Numbers:
        """Return only a run's evaluations, as fresh as :meth:`history`, to compare many runs."""
        tables = ("evaluations",)
        history = self._read_history(self._curves, run_id, tables, MAX_CURVE_ROWS)
        return history.recorded.evaluations

    def shared(self) -> Shared:
        """Return what is shared with the class."""
        return self.cached("shared", self._store.class_store.shared)

    def names(self) -> dict[str, str]:
        """Return the name of each member of the class, by ID."""
        return self.cached("names", self._store.class_store.names)

    def _read_history(
        self,
        readers: OrderedDict[str, HistoryReader],
        run_id: str,
        tables: tuple[str, ...],
        max_rows: int,
    ) -> CachedHistory:
        with self._lock:
            self._forget_deleted_runs()
            reader = readers.setdefault(run_id, HistoryReader(run_id, tables))
            readers.move_to_end(run_id)
            while len(readers) > 1 and sum(r.length for r in readers.values()) > max_rows:
                readers.popitem(last=False)
            run, now = self.run(run_id), self._timer()
            trains = run is not None and run.state is RunState.RUNNING
            is_due = not trains or now - reader.read_at >= self._fresh_seconds()
            if reader.history is not None and not is_due:
                return reader.history
            reader.read_at = now
            key = ("history", run_id, tables)
            return self.cached(key, lambda: reader.read_new(self._store))

    def _forget_deleted_runs(self) -> None:
        """Drop the histories of deleted runs: a new run may have the same ID."""
        after = self._last_deletion
        deletions = self.cached(("deletions", after), lambda: self._store.deletions(after))
        for deletion in deletions:
            self._last_deletion = deletion.id
            self._readers.pop(deletion.run_id, None)
            self._curves.pop(deletion.run_id, None)
            self._insides.pop(deletion.run_id, None)

"""RunHistory: all that a run has recorded, in memory, and what is derived from it, made once."""

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from gpt_core.analysis.memorization import Copying, measure_copying
from gpt_core.store import (
    RunStore,
    StoredEvaluation,
    StoredSample,
    StoredStep,
    StoredUpdate,
)
from gpt_core.vocabularies import get_tokenizer

STEP_COLUMNS = (
    *("global_step", "epoch", "tokens_seen", "loss", "grad_norm"),
    *("learning_rate", "seconds", "memory"),
)
EVALUATION_COLUMNS = ("global_step", "epoch", "tokens_seen", "train_loss", "val_loss", "seconds")

T = TypeVar("T")

TABLES = ("steps", "evaluations", "samples", "updates")
PARTS = (*TABLES, "all")

# Rows of numbers: numbers["loss"] is a column, numbers[-1].loss a number of the last row.
Numbers = npt.NDArray[Any]  # in fact an np.recarray


@dataclass(frozen=True, kw_only=True)
class MeasuredSample(StoredSample):
    """A sample on record, and how much of it is copied from the training text."""

    copying: Copying | None  # None where it was not measured


@dataclass(frozen=True)
class RunHistory:
    """What a run had recorded at a moment."""

    steps: Numbers
    evaluations: Numbers
    samples: Sequence[MeasuredSample]
    updates: Sequence[StoredUpdate]  # those that were inspected

    @property
    def seconds(self) -> float:
        """Return the time that was spent on the run."""
        last = [float(rows["seconds"][-1]) for rows in (self.steps, self.evaluations) if len(rows)]
        return max([*last, *(sample.seconds for sample in self.samples[-1:])], default=0.0)

    def until(self, seconds: float) -> "RunHistory":
        """Return the history as it was when so much time had been spent on the run."""
        return RunHistory(
            self.steps[: np.searchsorted(self.steps["seconds"], seconds, "right")],
            self.evaluations[: np.searchsorted(self.evaluations["seconds"], seconds, "right")],
            [sample for sample in self.samples if sample.seconds <= seconds],
            [update for update in self.updates if update.seconds <= seconds],
        )

    def without_samples(self) -> "RunHistory":
        """Return the history without what may give the run's text away."""
        return RunHistory(self.steps, self.evaluations, [], self.updates)


class DerivedValues:
    """Values that are made once, by the first thread that asks; the others wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _values, and that nothing is made twice
        self._values: dict[Hashable, Any] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a key, made now if it is not there yet."""
        with self._lock:
            if key not in self._values:
                self._values[key] = make()
            found: T = self._values[key]
            return found


class CachedHistory:
    """A run's history, read once for all who look, beside what is derived from it.

    Args:
        recorded: what the run has recorded.
        derived: what was derived from each part of it already; None begins anew.
    """

    def __init__(
        self, recorded: RunHistory, derived: dict[str, DerivedValues] | None = None
    ) -> None:
        self.recorded = recorded
        self._derived = _new_values(PARTS) if derived is None else derived

    def derive(self, key: Hashable, make: Callable[[], T], of: str = "all") -> T:
        """Return what is derived from the history: made by the first who asks, for all who do.

        Args:
            key: names it.
            make: makes it.
            of: what it depends on, "steps", "evaluations", "samples" or "updates", or "all": it is
                kept until more of that is recorded.
        """
        return self._derived[of].get(key, make)

    def redacted(self) -> "CachedHistory":
        """Return the history without the samples, with what is derived from the curves alone.

        It is one object for all who look.
        """

        def leave_out() -> CachedHistory:
            derived = {**self._derived, **_new_values(("samples", "all"))}
            return CachedHistory(self.recorded.without_samples(), derived)

        return self.derive("redacted", leave_out)


def _new_values(parts: Iterable[str]) -> dict[str, DerivedValues]:
    return {part: DerivedValues() for part in parts}


class _GrowingTable:
    """Columns of numbers that grow at their end; what was handed out stays as it was."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns = columns
        self._rows: Numbers = np.recarray(256, [(name, np.float64) for name in columns])
        self._count = 0

    def append(self, rows: Sequence[StoredStep] | Sequence[StoredEvaluation]) -> None:
        count = self._count + len(rows)
        if count > len(self._rows):
            larger: Numbers = np.recarray(max(count, 2 * len(self._rows)), self._rows.dtype)
            larger[: self._count] = self._rows[: self._count]
            self._rows = larger
        self._rows[self._count : count] = [
            tuple(getattr(row, name) for name in self._columns) for row in rows
        ]
        self._count = count

    @property
    def rows(self) -> Numbers:
        return self._rows[: self._count]


@dataclass
class HistoryReader:
    """Reads a run's history by cursors, each time from where it was. One thread at a time."""

    run_id: str
    tables: tuple[str, ...] = TABLES  # what of it is read
    cursors: dict[str, int] = field(default_factory=dict)
    steps: _GrowingTable = field(default_factory=lambda: _GrowingTable(STEP_COLUMNS))
    evaluations: _GrowingTable = field(default_factory=lambda: _GrowingTable(EVALUATION_COLUMNS))
    samples: list[MeasuredSample] = field(default_factory=list)
    updates: list[StoredUpdate] = field(default_factory=list)

    derived: dict[str, DerivedValues] = field(default_factory=lambda: _new_values(PARTS))
    read_at: float = 0.0  # by the clock of the caller
    history: CachedHistory | None = None

    @property
    def length(self) -> int:
        """Return how many steps and evaluations are in memory."""
        return len(self.steps.rows) + len(self.evaluations.rows)

    def read_new(self, store: RunStore) -> CachedHistory:
        """Return all that the run has recorded so far; if nothing is new, the same object again."""
        new = store.records_since(self.run_id, self.tables, self.cursors)
        changed = [table for table in TABLES if getattr(new, table)]
        if self.history is not None and not changed:
            return self.history
        for table in changed:
            self.cursors[table] = getattr(new, table)[-1].id
        self.steps.append(new.steps)
        self.evaluations.append(new.evaluations)
        # New lists: those that were handed out stay as they are.
        self.samples = [*self.samples, *map(_measured, new.samples)]
        self.updates = [*self.updates, *new.updates]
        self.derived |= _new_values([*changed, "all"])
        recorded = RunHistory(self.steps.rows, self.evaluations.rows, self.samples, self.updates)
        self.history = CachedHistory(recorded, dict(self.derived))
        return self.history


def _measured(sample: StoredSample) -> MeasuredSample:
    """Return a sample with what its copied spans amount to."""
    copying = None
    if sample.copied is not None:
        copying = measure_copying(sample.text, sample.start_context, sample.copied, get_tokenizer())
    return MeasuredSample(**asdict(sample), copying=copying)

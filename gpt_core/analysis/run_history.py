"""RunHistory: a run's records in memory, with the values derived from them."""

import math
import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from gpt_core.analysis.memorization import Copying, measure_copying
from gpt_core.store import (
    Run,
    RunStore,
    StoredEvaluation,
    StoredSample,
    StoredStep,
    StoredUpdate,
)
from gpt_core.vocabularies import run_tokenizer

STEP_COLUMNS = (
    *("global_step", "epoch", "tokens_seen", "loss", "grad_norm"),
    *("learning_rate", "seconds", "memory"),
)
EVALUATION_COLUMNS = (
    *("global_step", "epoch", "tokens_seen", "train_loss", "val_loss"),
    *("train_bits_per_byte", "val_bits_per_byte", "train_accuracy", "val_accuracy"),
    *("exact_match", "seconds"),
)

T = TypeVar("T")

TABLES = ("steps", "evaluations", "samples", "updates")
PARTS = (*TABLES, "all")

# Rows of numbers: numbers["loss"] is a column, numbers[-1].loss the last row's value.
Numbers = npt.NDArray[Any]  # an np.recarray


@dataclass(frozen=True, kw_only=True)
class MeasuredSample(StoredSample):
    """A stored sample, and how much is copied from the training text."""

    copying: Copying | None  # None where it was not measured


@dataclass(frozen=True)
class RunHistory:
    """A run's records at one moment."""

    steps: Numbers
    evaluations: Numbers
    samples: Sequence[MeasuredSample]
    updates: Sequence[StoredUpdate]  # those that were inspected

    @property
    def seconds(self) -> float:
        """Return the seconds spent on the run."""
        last = [float(rows["seconds"][-1]) for rows in (self.steps, self.evaluations) if len(rows)]
        return max([*last, *(sample.seconds for sample in self.samples[-1:])], default=0.0)

    @property
    def has_bits_per_byte(self) -> bool:
        """Tell whether bits per byte are recorded, or nothing is yet."""
        return not bool(np.isnan(self.evaluations["val_bits_per_byte"][-1:]).any())

    def up_to(self, global_step: int) -> "RunHistory":
        """Return the history as it was after a step, its evaluation and its sample."""
        steps, evaluations = (
            rows[: np.searchsorted(rows["global_step"], global_step, "right")]
            for rows in (self.steps, self.evaluations)
        )
        return RunHistory(
            steps,
            evaluations,
            [sample for sample in self.samples if sample.global_step <= global_step],
            [update for update in self.updates if update.global_step <= global_step],
        )

    def without_samples(self) -> "RunHistory":
        """Return the history without the samples, which may reveal the run's text."""
        return RunHistory(self.steps, self.evaluations, [], self.updates)


class DerivedValues:
    """Values that the first thread to ask computes once, while the others wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _values, and prevents computing twice
        self._values: dict[Hashable, Any] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a key, computed now if it is missing."""
        with self._lock:
            if key not in self._values:
                self._values[key] = make()
            found: T = self._values[key]
            return found


class CachedHistory:
    """A run's history, read once for all pages, with the values derived from it.

    Args:
        recorded: the run's records.
        derived: the values derived so far, by part; None starts empty.
    """

    def __init__(
        self, recorded: RunHistory, derived: dict[str, DerivedValues] | None = None
    ) -> None:
        self.recorded = recorded
        self._derived = _new_values(PARTS) if derived is None else derived

    def derive(self, key: Hashable, make: Callable[[], T], of: str = "all") -> T:
        """Return a value derived from the history, computed once for all callers.

        Args:
            key: identifies the value.
            make: computes it.
            of: the part that it depends on, "steps", "evaluations", "samples", "updates" or "all";
                the value is cached until more of that part is recorded.
        """
        return self._derived[of].get(key, make)

    def redacted(self) -> "CachedHistory":
        """Return the history without the samples and the values derived from them.

        All callers get the same object.
        """

        def leave_out() -> CachedHistory:
            derived = {**self._derived, **_new_values(("samples", "all"))}
            return CachedHistory(self.recorded.without_samples(), derived)

        return self.derive("redacted", leave_out)


def _new_values(parts: Iterable[str]) -> dict[str, DerivedValues]:
    return {part: DerivedValues() for part in parts}


class _GrowingTable:
    """Columns of numbers that grow at the end; returned rows never change."""

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
            tuple(_number(getattr(row, name)) for name in self._columns) for row in rows
        ]
        self._count = count

    @property
    def rows(self) -> Numbers:
        return self._rows[: self._count]


@dataclass
class HistoryReader:
    """Read a run's history incrementally, by cursor. Use it from one thread at a time."""

    run_id: str
    tables: tuple[str, ...] = TABLES  # the tables to read
    cursors: dict[str, int] = field(default_factory=dict)
    steps: _GrowingTable = field(default_factory=lambda: _GrowingTable(STEP_COLUMNS))
    evaluations: _GrowingTable = field(default_factory=lambda: _GrowingTable(EVALUATION_COLUMNS))
    samples: list[MeasuredSample] = field(default_factory=list)
    updates: list[StoredUpdate] = field(default_factory=list)

    derived: dict[str, DerivedValues] = field(default_factory=lambda: _new_values(PARTS))
    read_at: float = 0.0  # by the caller's clock
    history: CachedHistory | None = None

    @property
    def length(self) -> int:
        """Return the number of steps and evaluations in memory."""
        return len(self.steps.rows) + len(self.evaluations.rows)

    def read_new(self, store: RunStore) -> CachedHistory:
        """Return the run's history so far; the same object if nothing is new."""
        new = store.records_since(self.run_id, self.tables, self.cursors)
        changed = [table for table in TABLES if getattr(new, table)]
        if self.history is not None and not changed:
            return self.history
        for table in changed:
            self.cursors[table] = getattr(new, table)[-1].id
        self.steps.append(new.steps)
        self.evaluations.append(new.evaluations)
        # New lists: callers hold the old ones.
        if new.samples and (run := store.run(self.run_id)):
            self.samples = [*self.samples, *_measured(store, run, new.samples)]
        self.updates = [*self.updates, *new.updates]
        self.derived |= _new_values([*changed, "all"])
        recorded = RunHistory(self.steps.rows, self.evaluations.rows, self.samples, self.updates)
        self.history = CachedHistory(recorded, dict(self.derived))
        return self.history


def _number(value: float | None) -> float:
    """Return a value for a column of numbers: NaN if it was not measured."""
    return math.nan if value is None else value


def _measured(store: RunStore, run: Run, samples: Sequence[StoredSample]) -> list[MeasuredSample]:
    """Return samples with their copying measured, unless the run's vocabulary is damaged."""
    try:
        tokenizer = run_tokenizer(store, run)
    except ValueError:
        return [MeasuredSample(**asdict(sample), copying=None) for sample in samples]
    return [
        MeasuredSample(
            **asdict(sample),
            copying=None
            if sample.copied is None
            else measure_copying(sample.text, sample.start_context, sample.copied, tokenizer),
        )
        for sample in samples
    ]

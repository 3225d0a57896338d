"""RunHistory: all that a run has recorded, in memory, read on from where the last look ended."""

import threading
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from gpt_core.analysis.memorization import Copying, measure_copying
from gpt_core.store import Row, RunStore
from gpt_core.vocabularies import get_tokenizer

STEP_COLUMNS = (
    *("global_step", "epoch", "tokens_seen", "loss", "grad_norm"),
    *("learning_rate", "seconds", "memory"),
)
EVALUATION_COLUMNS = ("global_step", "epoch", "tokens_seen", "train_loss", "val_loss", "seconds")

T = TypeVar("T")

TABLES = ("steps", "evaluations", "samples", "updates")
PARTS = (*TABLES, "all")

Numbers = npt.NDArray[Any]  # a structured array: numbers["loss"] is a column


@dataclass(frozen=True)
class RunHistory:
    """What a run has recorded up to a moment. Nobody changes it."""

    steps: Numbers
    evaluations: Numbers
    samples: list[Row]  # each with its "copying", or None where that was not measured
    updates: list[Row]  # those that were looked at closely
    _made: dict[str, "_Once"] = field(default_factory=lambda: _fresh(PARTS), repr=False)

    def once(self, key: Hashable, make: Callable[[], T], of: str = "all") -> T:
        """Return what is made of this history: by the first who asks, for all who do.

        Args:
            key: names it.
            make: makes it; the others wait meanwhile.
            of: what it depends on, "steps", "evaluations", "samples" or "updates", or "all": it is
                kept until more of that is recorded.
        """
        return self._made[of].get(key, make)

    @property
    def seconds(self) -> float:
        """Return the time that was spent on the run."""
        last = [float(rows["seconds"][-1]) for rows in (self.steps, self.evaluations) if len(rows)]
        return max([*last, *(row["seconds"] for row in self.samples[-1:])], default=0.0)

    def redacted(self) -> "RunHistory":
        """Return the history without the samples: one for all who look, and with what is made of
        the curves alone.
        """

        def leave_out() -> RunHistory:
            made = {**self._made, **_fresh(("samples", "all"))}
            return RunHistory(self.steps, self.evaluations, [], self.updates, made)

        return self.once("redacted", leave_out)

    def until(self, seconds: float) -> "RunHistory":
        """Return the history as it was when so much time had been spent on the run."""
        return RunHistory(
            self.steps[: np.searchsorted(self.steps["seconds"], seconds, "right")],
            self.evaluations[: np.searchsorted(self.evaluations["seconds"], seconds, "right")],
            [row for row in self.samples if row["seconds"] <= seconds],
            [row for row in self.updates if row["seconds"] <= seconds],
        )


class _Once:
    """Things that are made once, by the first thread that asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _things, and that nothing is made twice
        self._things: dict[Hashable, Any] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            if key not in self._things:
                self._things[key] = make()
            found: T = self._things[key]
            return found


def _fresh(parts: Iterable[str]) -> dict[str, _Once]:
    return {part: _Once() for part in parts}


class _GrowingTable:
    """Columns of numbers that grow at their end; what was handed out stays as it was."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns = columns
        self._rows = np.empty(256, dtype=[(name, np.float64) for name in columns])
        self._count = 0

    def append(self, rows: list[Row]) -> None:
        count = self._count + len(rows)
        if count > len(self._rows):
            larger = np.empty(max(count, 2 * len(self._rows)), dtype=self._rows.dtype)
            larger[: self._count] = self._rows[: self._count]
            self._rows = larger
        self._rows[self._count : count] = [
            tuple(row[name] for name in self._columns) for row in rows
        ]
        self._count = count

    @property
    def rows(self) -> Numbers:
        return self._rows[: self._count]


@dataclass
class HistoryReader:
    """Reads a run's history on from where it was, by cursors. One thread at a time."""

    run_id: str
    tables: tuple[str, ...] = TABLES  # what of it is read
    cursors: dict[str, int] = field(default_factory=dict)
    steps: _GrowingTable = field(default_factory=lambda: _GrowingTable(STEP_COLUMNS))
    evaluations: _GrowingTable = field(default_factory=lambda: _GrowingTable(EVALUATION_COLUMNS))
    samples: list[Row] = field(default_factory=list)
    updates: list[Row] = field(default_factory=list)

    made: dict[str, _Once] = field(default_factory=lambda: _fresh(PARTS))
    read_at: float = 0.0  # by the clock of whoever has it read
    history: RunHistory | None = None

    @property
    def length(self) -> int:
        """Return how many steps and evaluations stand in memory."""
        return len(self.steps.rows) + len(self.evaluations.rows)

    def read_on(self, store: RunStore) -> RunHistory:
        """Return all that the run has recorded so far; without news, the very history of before."""
        news: dict[str, list[Row]] = {table: [] for table in TABLES}
        news |= store.news(self.run_id, self.tables, self.cursors)
        if self.history is not None and not any(news.values()):
            return self.history
        for table, rows in news.items():
            if rows:
                self.cursors[table] = rows[-1]["id"]
        self.steps.append(news["steps"])
        self.evaluations.append(news["evaluations"])
        for row in news["samples"]:
            row["copying"] = _copying_of(row)
        # New lists: those that were handed out stay as they are.
        self.samples = [*self.samples, *news["samples"]]
        self.updates = [*self.updates, *news["updates"]]
        self.made |= _fresh([*(table for table in TABLES if news[table]), "all"])
        self.history = RunHistory(
            self.steps.rows, self.evaluations.rows, self.samples, self.updates, dict(self.made)
        )
        return self.history


def _copying_of(sample: Row) -> Copying | None:
    runs = sample["copied"]
    if runs is None:
        return None
    return measure_copying(sample["text"], sample["start_context"], runs, get_tokenizer())

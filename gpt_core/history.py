"""RunHistory: all that a run has recorded, in memory, read on from where the last look ended."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gpt_core.memorisation import Copying, measure_copying
from gpt_core.rows import Row
from gpt_core.store import RunStore
from gpt_core.tokenizer import get_tokenizer

STEP_COLUMNS = (
    *("global_step", "epoch", "tokens_seen", "loss", "grad_norm"),
    *("learning_rate", "seconds", "memory"),
)
EVALUATION_COLUMNS = ("global_step", "epoch", "tokens_seen", "train_loss", "val_loss", "seconds")
MOST_RUNS = 8  # of 100,000 steps each takes 10 MB

Numbers = npt.NDArray[Any]  # a structured array: numbers["loss"] is a column


@dataclass(frozen=True)
class RunHistory:
    """What a run has recorded up to a moment. Nobody changes it."""

    steps: Numbers
    evaluations: Numbers
    samples: list[Row]  # each with its "copying", or None where that was not measured
    updates: list[Row]  # those that were looked at closely

    @property
    def seconds(self) -> float:
        """Return the time that was spent on the run."""
        last = [float(rows["seconds"][-1]) for rows in (self.steps, self.evaluations) if len(rows)]
        return max([*last, *(row["seconds"] for row in self.samples[-1:])], default=0.0)

    def until(self, seconds: float) -> "RunHistory":
        """Return the history as it was when so much time had been spent on the run."""
        return RunHistory(
            self.steps[: np.searchsorted(self.steps["seconds"], seconds, "right")],
            self.evaluations[: np.searchsorted(self.evaluations["seconds"], seconds, "right")],
            [row for row in self.samples if row["seconds"] <= seconds],
            [row for row in self.updates if row["seconds"] <= seconds],
        )


class RunHistories:
    """The histories of the runs that are looked at, shared by all who look.

    Each look reads only what has been recorded since the last one, whoever took it.

    Args:
        store: where the runs are written down.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._lock = threading.Lock()  # guards _readers and what they hold
        self._readers: OrderedDict[str, _Reader] = OrderedDict()

    def of(self, run_id: str) -> RunHistory:
        """Return all that a run has recorded so far."""
        with self._lock:
            reader = self._readers.setdefault(run_id, _Reader())
            self._readers.move_to_end(run_id)
            if len(self._readers) > MOST_RUNS:
                self._readers.popitem(last=False)
            return reader.read_on(self._store, run_id)


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
class _Reader:
    """How far a run has been read, and what was."""

    cursors: dict[str, int] = field(default_factory=dict)
    steps: _GrowingTable = field(default_factory=lambda: _GrowingTable(STEP_COLUMNS))
    evaluations: _GrowingTable = field(default_factory=lambda: _GrowingTable(EVALUATION_COLUMNS))
    samples: list[Row] = field(default_factory=list)
    updates: list[Row] = field(default_factory=list)

    def read_on(self, store: RunStore, run_id: str) -> RunHistory:
        news = store.news(run_id, ("steps", "evaluations", "samples", "updates"), self.cursors)
        for table, rows in news.items():
            if rows:
                self.cursors[table] = rows[-1]["id"]
        self.steps.append(news["steps"])
        self.evaluations.append(news["evaluations"])
        for row in news["samples"]:
            row["copying"] = _copying_of(row)
        self.samples = [*self.samples, *news["samples"]] if news["samples"] else self.samples
        self.updates = [*self.updates, *news["updates"]] if news["updates"] else self.updates
        return RunHistory(self.steps.rows, self.evaluations.rows, self.samples, self.updates)


def _copying_of(sample: Row) -> Copying | None:
    runs = sample["copied"]
    if runs is None:
        return None
    return measure_copying(sample["text"], sample["start_context"], runs, get_tokenizer())

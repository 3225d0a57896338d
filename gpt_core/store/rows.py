"""Convert runs and records to rows of the store, and back."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar

from gpt_core.config import GPTConfig, TrainingConfig, as_settings
from gpt_core.records import (
    EvaluationRecord,
    InsideRecord,
    ProbeRecord,
    SampleRecord,
    StepRecord,
    UpdateRecord,
)
from gpt_core.store.run import Baselines, CheckpointKind, Command, Run, RunState
from gpt_core.validation import is_whole_text, shown

Row = dict[str, Any]  # column names to SQLite values
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class StoredStep(StepRecord):
    """A stored step record."""

    id: int
    seconds: float  # spent on the run so far
    memory: int  # of the process or, on cuda, the most it has allocated there, in bytes


@dataclass(frozen=True, kw_only=True)
class StoredEvaluation(EvaluationRecord):
    """A stored evaluation record."""

    id: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StoredSample(SampleRecord):
    """A stored sample record."""

    id: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StoredProbe(ProbeRecord):
    """A stored probe record."""

    id: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StoredUpdate(UpdateRecord):
    """A stored record of an inspected update."""

    id: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StoredInside(InsideRecord):
    """A stored record of a model's inside."""

    id: int
    seconds: float


@dataclass(frozen=True)
class Transition:
    """A run's transition to a state."""

    id: int
    run_id: str
    at: float  # seconds since 1970
    state: RunState
    actor: str
    message: str


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that is complete on disk."""

    id: int
    run_id: str
    global_step: int
    kind: CheckpointKind
    folder: str  # relative to the runs directory
    bytes: int
    at: float


@dataclass(frozen=True)
class Deletion:
    """The deletion of a run."""

    id: int
    run_id: str
    at: float
    actor: str
    owner: str
    seconds: float  # of training time


@dataclass(frozen=True)
class StoredRequest:
    """A request to a live run, from another process than the one that trains it."""

    id: int
    run_id: str
    actor: str  # who asks
    command: Command
    asked_at: float
    answered_at: float | None  # None while it is open
    error: str  # why it failed, as a sentence

    @property
    def is_open(self) -> bool:
        """Tell whether it is not answered yet."""
        return self.answered_at is None


StoredRecord = (
    StoredStep | StoredEvaluation | StoredSample | StoredProbe | StoredUpdate | StoredInside
)
TABLES: dict[type, str] = {
    StoredStep: "steps",
    StoredEvaluation: "evaluations",
    StoredSample: "samples",
    StoredProbe: "probes",
    StoredUpdate: "updates",
    StoredInside: "inside",
    Transition: "transitions",
    Checkpoint: "checkpoints",
    Deletion: "deletions",
    StoredRequest: "requests",
}
ENUMS: dict[str, type[StrEnum]] = {
    "state": RunState,
    "kind": CheckpointKind,
    "command": Command,
}

JSON_COLUMNS = {
    "samples": ("copied",),
    "probes": ("target_probas", "predicted_ids"),
    "updates": ("grad_norms", "changes"),
    "inside": (
        *("token_ids", "best_ids", "best_probas", "target_probas"),
        *("head_scores", "parts", "stream_norms", "silent_units"),
    ),
}


def encoded(value: Any) -> Any:
    """Return a value for SQLite: configurations, tuples, lists and dictionaries as JSON."""
    if isinstance(value, GPTConfig | TrainingConfig):
        value = as_settings(value)
    elif isinstance(value, Baselines):
        value = asdict(value)
    return json.dumps(value) if isinstance(value, tuple | list | dict) else value


def check_rows(table: str, rows: Iterable[Row], kinds: Mapping[str, str]) -> None:
    """Refuse rows that do not fit their table: SQLite accepts any type in any column.

    Args:
        table: the table's name.
        rows: the rows to insert.
        kinds: the type of each column, by name.

    Raises:
        ValueError: a column does not exist, or a value is not of its column's type.
    """
    for row in rows:
        for name, value in row.items():
            if name not in kinds:
                raise ValueError(f"{table} has no column {shown(name)}")
            if value is not None and not _fits(
                value, kinds[name], name in JSON_COLUMNS.get(table, ())
            ):
                raise ValueError(f"{name}={shown(value)} does not belong to {table}")


def _fits(value: Any, kind: str, is_json: bool) -> bool:
    """Tell whether a value has a column's type."""
    if is_json:
        return isinstance(value, list)
    if isinstance(value, bytes) or kind == "BLOB":
        return isinstance(value, bytes) and kind == "BLOB"
    if kind == "TEXT":
        return not isinstance(value, int | float) and is_whole_text(str(encoded(value)))
    if isinstance(value, int):
        return abs(value) < 2**63  # SQLite's limit
    return kind == "REAL" and isinstance(value, float)


def decoded(table: str, row: Row) -> Row:
    """Return a row with its JSON columns decoded to tuples; the row is changed."""
    for name in JSON_COLUMNS.get(table, ()):
        row[name] = None if row[name] is None else _as_tuples(json.loads(row[name]))
    return row


def _as_tuples(value: Any) -> Any:
    """Return a JSON value with tuples instead of lists, as in records."""
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def column_names(kind: type) -> str:
    """Return the columns of a stored kind, comma-separated for SQL."""
    return ", ".join(field.name for field in fields(kind))


def from_row(kind: type[T], row: Row) -> T:
    """Return the object of a stored kind from a row of its table."""
    row = decoded(TABLES[kind], row)
    for name, enum in ENUMS.items():
        if name in row:
            row[name] = enum(row[name])
    return kind(**row)


def run_from_row(row: Row) -> Run:
    """Return a run from its row, joined with its last transition."""
    return Run(
        **{
            **row,
            "state": RunState(row["state"]),
            "model_config": GPTConfig(**json.loads(row["model_config"])),
            "training_config": TrainingConfig(**json.loads(row["training_config"])),
            "versions": json.loads(row["versions"]),
            "baselines": Baselines(**json.loads(row["baselines"])) if row["baselines"] else None,
        }
    )

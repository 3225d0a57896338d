"""How runs and records become rows of the store, and rows become them again."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.records import EvaluationRecord, ProbeRecord, SampleRecord, StepRecord, UpdateRecord
from gpt_core.store.run import CheckpointKind, Run, RunState
from gpt_core.validation import is_whole_text, shown

Row = dict[str, Any]  # as SQLite gives it
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class StoredStep(StepRecord):
    """A step on record."""

    id: int
    seconds: float  # spent on the run by its end
    memory: int  # of the process, in bytes


@dataclass(frozen=True, kw_only=True)
class StoredEvaluation(EvaluationRecord):
    """An evaluation on record."""

    id: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StoredSample(SampleRecord):
    """A sample on record."""

    id: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StoredProbe(ProbeRecord):
    """A probe on record."""

    id: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class StoredUpdate(UpdateRecord):
    """An inspected update on record."""

    id: int
    seconds: float


@dataclass(frozen=True)
class Transition:
    """A run's step from one state to the next."""

    id: int
    run_id: str
    at: float  # seconds since 1970
    state: RunState
    actor: str
    message: str


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that is whole on the disk."""

    id: int
    run_id: str
    global_step: int
    kind: CheckpointKind
    folder: str  # relative to the runs directory
    bytes: int
    at: float


@dataclass(frozen=True)
class Deletion:
    """A run that was deleted."""

    id: int
    run_id: str
    at: float
    actor: str
    owner: str
    seconds: float  # for which it had trained


StoredRecord = StoredStep | StoredEvaluation | StoredSample | StoredProbe | StoredUpdate
TABLES: dict[type, str] = {
    StoredStep: "steps",
    StoredEvaluation: "evaluations",
    StoredSample: "samples",
    StoredProbe: "probes",
    StoredUpdate: "updates",
    Transition: "transitions",
    Checkpoint: "checkpoints",
    Deletion: "deletions",
}
ENUMS: dict[str, type[StrEnum]] = {"state": RunState, "kind": CheckpointKind}

JSON_COLUMNS = {
    "samples": ("copied",),
    "probes": ("target_probas", "predicted_ids"),
    "updates": ("grad_norms", "changes"),
}


def encoded(value: Any) -> Any:
    """Return a value as SQLite takes it: what has parts becomes JSON."""
    if isinstance(value, GPTConfig | TrainingConfig):
        value = asdict(value)
    return json.dumps(value) if isinstance(value, tuple | list | dict) else value


def check_rows(table: str, rows: Iterable[Row], kinds: Mapping[str, str]) -> None:
    """Refuse rows that this app has not written: SQLite itself takes anything anywhere.

    Args:
        table: whose rows they are to be.
        rows: what is to be put there.
        kinds: the type of each of its columns, by its name.

    Raises:
        ValueError: there is no such column, or something else stands there than belongs there.
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
    """Tell whether a value is of a column's type."""
    if is_json:
        return isinstance(value, list)
    if kind == "TEXT":
        return not isinstance(value, int | float) and is_whole_text(str(encoded(value)))
    if isinstance(value, int):
        return abs(value) < 2**63  # SQLite's largest
    return kind == "REAL" and isinstance(value, float)


def decoded(table: str, row: Row) -> Row:
    """Return a row with what is JSON in it as tuples."""
    for name in JSON_COLUMNS.get(table, ()):
        row[name] = None if row[name] is None else _as_tuples(json.loads(row[name]))
    return row


def _as_tuples(value: Any) -> Any:
    """Return what JSON gave back with tuples for lists, as records have them."""
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def column_names(kind: type) -> str:
    """Return the columns that make an object of a stored kind, as SQL names them."""
    return ", ".join(field.name for field in fields(kind))


def from_row(kind: type[T], row: Row) -> T:
    """Return the object that a row of its table stands for."""
    row = decoded(TABLES[kind], row)
    for name, enum in ENUMS.items():
        if name in row:
            row[name] = enum(row[name])
    return kind(**row)


def run_from_row(row: Row) -> Run:
    """Return a run from its row, which its last transition is joined to."""
    return Run(
        **{
            **row,
            "state": RunState(row["state"]),
            "model_config": GPTConfig(**json.loads(row["model_config"])),
            "training_config": TrainingConfig(**json.loads(row["training_config"])),
            "versions": json.loads(row["versions"]),
        }
    )

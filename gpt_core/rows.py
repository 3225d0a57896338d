"""How runs and records become rows of the store, and rows become them again."""

import json
from dataclasses import asdict
from typing import Any

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.run import Run

Row = dict[str, Any]

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


def decoded(table: str, row: Row) -> Row:
    """Return a row with what is JSON in it as tuples."""
    for name in JSON_COLUMNS.get(table, ()):
        row[name] = None if row[name] is None else _as_tuples(json.loads(row[name]))
    return row


def _as_tuples(value: Any) -> Any:
    """Return what JSON gave back with tuples for lists, as records have them."""
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def run_from_row(row: Row) -> Run:
    """Return a run from its row, which its last transition is joined to."""
    return Run(
        **{
            **row,
            "model_config": GPTConfig(**json.loads(row["model_config"])),
            "training_config": TrainingConfig(**json.loads(row["training_config"])),
            "versions": json.loads(row["versions"]),
        }
    )

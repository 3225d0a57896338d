"""A run's measurements as one table, a row per step, for pandas and spreadsheets."""

import io
from dataclasses import asdict

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from gpt_core.store import Run, RunStore

COLUMNS = pa.schema(
    [
        ("global_step", pa.int64()),  # the first update is step 0, as in the book
        ("epoch", pa.int64()),
        ("tokens_seen", pa.int64()),
        ("seconds", pa.float64()),  # of training, up to the end of the step
        ("loss", pa.float64()),  # of the step's batch, with dropout
        ("grad_norm", pa.float64()),  # before clipping
        ("learning_rate", pa.float64()),
        ("memory", pa.int64()),  # of the process or, on cuda, allocated there at most, in bytes
        ("train_loss", pa.float64()),  # only where an evaluation followed the step
        ("val_loss", pa.float64()),
        ("train_bits_per_byte", pa.float64()),
        ("val_bits_per_byte", pa.float64()),
        ("train_accuracy", pa.float64()),  # fraction of tokens that are found the most probable
        ("val_accuracy", pa.float64()),
        ("exact_match", pa.float64()),  # fraction of a task's answers that are right
        ("evaluation_seconds", pa.float64()),  # up to its end
    ]
)


def metrics_table(store: RunStore, run: Run) -> pa.Table:
    """Return a run's steps, each with the evaluation that followed it, if any."""
    records = store.records_since(run.id, ("steps", "evaluations"), {})
    rows = {step.global_step: asdict(step) for step in records.steps}
    for evaluation in records.evaluations:
        values = asdict(evaluation)
        values["evaluation_seconds"] = values.pop("seconds")
        rows.setdefault(evaluation.global_step, {}).update(values)
    return pa.Table.from_pylist([rows[step] for step in sorted(rows)], COLUMNS)


def metrics_csv(store: RunStore, run: Run) -> bytes:
    """Return the metrics as CSV; missing values are empty cells."""
    file = io.BytesIO()
    pyarrow.csv.write_csv(metrics_table(store, run), file)
    return file.getvalue()


def metrics_parquet(store: RunStore, run: Run) -> bytes:
    """Return the metrics as Parquet."""
    file = io.BytesIO()
    pyarrow.parquet.write_table(metrics_table(store, run), file)
    return file.getvalue()

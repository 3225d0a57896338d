"""What a run recorded of its model's inside as one table, a row per recorded evaluation."""

import io
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from gpt_core.analysis import attention_of, part_numbers
from gpt_core.records import Bins, PartNumbers
from gpt_core.store import Run, RunStore

NUMBERS = pa.list_(pa.float32())
BINS = pa.struct(  # of equal width
    [("low", pa.float32()), ("high", pa.float32()), ("counts", pa.list_(pa.int32()))]
)
COLUMNS = pa.schema(
    [
        ("global_step", pa.int64()),  # the first update is step 0, as in the book
        ("epoch", pa.int64()),
        ("tokens_seen", pa.int64()),
        ("seconds", pa.float64()),  # of training, up to then
        ("token_ids", pa.list_(pa.int32())),  # (T + 1,) of the probe, the last one only a target
        # (n_layers, n_heads, T, T); as float32, which all readers of Parquet know
        ("attention", pa.list_(pa.list_(pa.list_(NUMBERS)))),
        ("best_ids", pa.list_(pa.list_(pa.list_(pa.int32())))),  # (n_layers, T, 3), by the lens
        ("best_probas", pa.list_(pa.list_(NUMBERS))),
        ("target_probas", pa.list_(NUMBERS)),  # (n_layers, T)
        *(
            (f"head_{habit}", pa.list_(NUMBERS))  # (n_layers, n_heads)
            for habit in ("previous", "first", "same", "induction")
        ),
        (
            "parts",
            pa.list_(
                pa.struct(
                    [
                        ("name", pa.string()),
                        ("weights", BINS),
                        ("gradients", BINS),
                        ("updates", BINS),
                        ("update_to_weight", pa.float32()),
                    ]
                )
            ),
        ),
        ("stream_norms", NUMBERS),  # (n_layers + 1,)
        ("silent_units", NUMBERS),  # (n_layers,)
    ]
)


def inside_table(store: RunStore, run: Run) -> pa.Table:
    """Return what a run recorded of its model's inside, oldest first.

    Raises:
        ValueError: a recorded attention is damaged.
    """
    rows = []
    for record in store.inside(run.id):
        row = asdict(record)
        row["attention"] = attention_of(record, run.model_config).tolist()
        row |= {f"head_{habit}": values for habit, values in record.head_scores}
        row["parts"] = [_part_row(part) for part in part_numbers(record)]
        rows.append(row)
    return pa.Table.from_pylist(rows, COLUMNS)


def _part_row(part: PartNumbers) -> dict[str, Any]:
    """Return a part's numbers by name, its histograms too."""
    row = part._asdict()
    return {k: v._asdict() if isinstance(v, Bins) else v for k, v in row.items()}


def inside_parquet(store: RunStore, run: Run) -> bytes:
    """Return a run's recorded insides as Parquet."""
    file = io.BytesIO()
    pyarrow.parquet.write_table(inside_table(store, run), file)
    return file.getvalue()

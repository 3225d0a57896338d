"""All runs in a table that can be searched and sorted, and in which runs are chosen.

It replaces ``st.dataframe``, which identifies a chosen row by its number: a different run once one
is added or the table is filtered. Here it is the run's ID. It also works with screen readers and
on phones.
"""

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import streamlit as st

from dashboard.app import owner_name
from dashboard.charts import RUNS, STATE_COLORS, changes_from_preset, format_duration
from dashboard.components.registration import register
from gpt_core.store import RunSummary

_component = register("run_table", '<div class="run-table"></div>')


def run_table(
    summaries: Sequence[RunSummary],
    chosen: Sequence[str],
    revision: int,
    key: str,
) -> tuple[list[str], str | None]:
    """Show the runs; return the IDs of the chosen ones, and of one to open, or None.

    Args:
        summaries: one per row, the newest first.
        chosen: the IDs of the runs that are chosen when the table is first shown.
        revision: the number of changes of ``chosen`` from outside the table, which override it.
        key: identifies the table on its page.
    """
    known = {summary.run.id for summary in summaries}
    answer = st.session_state.get(key, {}).get("answer")
    # An answer from before the last revision is out of date.
    if isinstance(answer, dict) and answer.get("revision") == revision:
        chosen = answer.get("chosen", [])
    chosen = [run_id for run_id in chosen if run_id in known]
    data = {
        "rows": [row_of(summary) for summary in summaries],
        "chosen": chosen,
        "colors": dict(zip(chosen, cycle(RUNS))),
        "revision": revision,
    }
    result = _component(data=data, key=key, on_answer_change=_nothing, on_opened_change=_nothing)
    return chosen, result.opened if result.opened in known else None


def row_of(summary: RunSummary) -> dict[str, Any]:
    """Return the fields of a run that the table shows, searches and sorts by."""
    run = summary.run
    return {
        "id": run.id,
        "name": run.name,
        "note": run.note,
        "owner": owner_name(run.owner),
        "text": run.text_name,
        "preset": run.preset,
        "changes": ", ".join(changes_from_preset(run)),
        "state": run.state,
        "color": STATE_COLORS[run.state],
        "train": summary.train_loss,
        "val": summary.val_loss,
        "bits": summary.val_bits_per_byte,
        "lowest": summary.lowest_val_loss,
        "lowest_step": summary.lowest_val_step,
        "steps": summary.steps_done,
        "total": run.total_steps,
        "seconds": summary.seconds,
        "time": format_duration(summary.seconds),
        "created": run.created_at,
    }


def _nothing() -> None:
    """Do nothing: the callback is what makes Streamlit keep the table's answer."""

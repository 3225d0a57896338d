"""The checkpoints of one run, and what can be done with each."""

from datetime import datetime
from functools import partial

import pandas as pd
import streamlit as st

from dashboard.app import (
    attempt,
    current_actor,
    get_store,
    get_visible_runs,
    may_change,
    session_keys,
)
from dashboard.charts import count, format_bytes
from dashboard.forms import checkpoint_option, start_from
from dashboard.ui import delete_button, state_badge, way_button
from gpt_core.export import WEIGHT_FORMS, delete_checkpoint, weights_zip
from gpt_core.store import Checkpoint, CheckpointKind, Run
from gpt_core.weights import (
    INITIAL_STEP,
)

NEEDED = {
    CheckpointKind.WHOLE: " Without it, the run starts over when it is resumed.",
    CheckpointKind.INITIAL: " Without it, the run cannot start over.",
}
KINDS = {
    CheckpointKind.WHOLE: "weights, optimizer and random state",
    CheckpointKind.WEIGHTS: "weights",
    CheckpointKind.INITIAL: "the weights it began with",
}


def show_checkpoints(run_id: str, drawn: str) -> None:
    """Show a run's checkpoints in a table and, below it, what can be done with the chosen one.

    The whole page is redrawn when the run's state changes.
    """
    visible = get_visible_runs()
    run = visible.run(run_id)
    if run is None or run.state != drawn:
        st.rerun()
    rows = sorted(
        visible.checkpoints(run.id),
        key=lambda checkpoint: (-checkpoint.global_step, checkpoint.kind),
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        size = format_bytes(sum(row.bytes for row in rows))
        of_all = format_bytes(get_store().checkpoint_bytes(run.owner))
        st.text(f"{count(len(rows), 'checkpoint')}, {size}; those of all runs: {of_all}")
        state_badge(run)
        _offer_to_keep_the_best(run, rows)
        st.page_link("pages/runs.py", label="Its curve", query_params={session_keys.RUN: run.id})
    if not rows:
        return
    chosen = _choose_checkpoint(run, rows)
    with st.container(border=True):
        step = int(chosen.global_step)
        at = "Before the first update" if step == INITIAL_STEP else f"Step {step:,}"
        st.text(f"{at} · {KINDS[chosen.kind]}, {format_bytes(chosen.bytes)}")
        with st.container(horizontal=True, vertical_alignment="center"):
            _show_actions(run, chosen)


def _offer_to_keep_the_best(run: Run, rows: list[Checkpoint]) -> None:
    """Offer to delete all checkpoints of an ended run but the one with the lowest loss."""
    best = get_visible_runs().best_checkpoint(run.id)
    others = [row for row in rows if best is None or row.id != best.id]
    if best is None or not others or run.is_live or not may_change(run.owner):
        return
    with st.popover("Keep only the best"):
        freed = format_bytes(sum(row.bytes for row in others))
        lost = ", and the run starts over when it is resumed" if run.is_resumable else ""
        st.text(
            f"The weights of step {best.global_step:,}, with the lowest validation loss, stay; "
            f"all others go, those of the last step too. "
            f"Deleting {count(len(others), 'other checkpoint')} frees {freed}{lost}."
        )
        delete_button(f"all but {best.id}", _delete, *others)


def _choose_checkpoint(run: Run, rows: list[Checkpoint]) -> Checkpoint:
    """Show the checkpoints in a table; return the one that is chosen, at first the newest."""
    ids = [row.id for row in rows]
    chosen = st.session_state.get(session_keys.CHECKPOINT)
    # Streamlit knows rows by their numbers: a changed list is another table.
    key = f"{session_keys.CHECKPOINTS}-{hash(tuple(ids))}"
    state = st.dataframe(
        _table(run, rows).style.format(
            {"Step": "{:,}", "Ends epoch": "{:,}", "Validation loss": "{:.3f}"}, na_rep="–"
        ),
        hide_index=True,
        placeholder="–",
        column_config={"Saved": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")},
        key=key,
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [ids.index(chosen) if chosen in ids else 0]}},
        alt="The run's checkpoints: choose one",
    )
    selected: list[int] = state["selection"]["rows"]
    row = rows[selected[0]] if selected and selected[0] < len(rows) else rows[0]
    st.session_state[session_keys.CHECKPOINT] = row.id
    return row


def _table(run: Run, rows: list[Checkpoint]) -> pd.DataFrame:
    """Return the checkpoints as a table: step, kind, validation loss, size, when saved."""
    evaluations = get_visible_runs().evaluations(run.id)
    losses = {int(e["global_step"]): float(e["val_loss"]) for e in evaluations}
    best = get_visible_runs().best_checkpoint(run.id)
    steps = [int(row.global_step) for row in rows]
    lowest = [", the lowest loss" * (best is not None and row.id == best.id) for row in rows]
    return pd.DataFrame(
        {
            "Step": pd.array([None if s == INITIAL_STEP else s for s in steps], "Int64"),
            "Ends epoch": pd.array([run.epoch_ended_by(step) for step in steps], "Int64"),
            "Validation loss": pd.array([losses.get(step) for step in steps], "Float64"),
            "Kind": [KINDS[row.kind] + note for row, note in zip(rows, lowest, strict=True)],
            "Size": [format_bytes(row.bytes) for row in rows],
            "Saved": [datetime.fromtimestamp(row.at) for row in rows],
        }
    )


def _show_actions(run: Run, checkpoint: Checkpoint) -> None:
    step = int(checkpoint.global_step)
    at = "initial" if step == INITIAL_STEP else f"step-{step:06d}"
    with st.popover("Export"):
        for form, facts in WEIGHT_FORMS.items():
            st.caption(facts.opens_in)
            if reason := facts.why_not(run.model_config):
                st.text(reason)
                continue
            st.download_button(
                facts.title,
                # Made on request.
                partial(weights_zip, get_store(), checkpoint, form, actor=current_actor()),
                file_name=f"{run.id}-{at}-{form}.zip",
                on_click="ignore",
                key=f"take {checkpoint.id} {form}",
            )
    if way_button("Generate text", key=f"write {checkpoint.id}"):
        st.session_state[f"{session_keys.WALK_STEP}-{run.id}"] = step
        st.switch_page("pages/generate.py", query_params={session_keys.RUN: run.id})
    if way_button("Continue training", key=f"begin {checkpoint.id}", help="As a new run."):
        start_from(checkpoint_option(run.id, step))
    if not may_change(run.owner):
        return
    with st.popover("Delete"):
        if run.is_live:
            st.text("Its run is live and may need it: stop it first.")
        else:
            st.text(
                "These weights cannot be brought back; the run and its curve stay."
                + (NEEDED.get(checkpoint.kind, "") if run.is_resumable else "")
            )
            delete_button(f"{checkpoint.id}", _delete, checkpoint)


def _delete(*checkpoints: Checkpoint) -> None:
    for checkpoint in checkpoints:
        attempt(delete_checkpoint, get_store(), checkpoint, actor=current_actor())

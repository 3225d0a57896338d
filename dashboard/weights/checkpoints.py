"""The checkpoints of one run, and what can be done with each."""

from functools import partial

import streamlit as st

from dashboard.app import (
    attempt,
    current_actor,
    get_store,
    get_visible_runs,
    may_change,
    session_keys,
)
from dashboard.charts import count, format_bytes, format_loss
from dashboard.forms import checkpoint_option, start_from
from dashboard.ui import state_badge
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
    """Show a run's checkpoints; redraw the whole page when its state changes."""
    visible = get_visible_runs()
    run = visible.run(run_id)
    if run is None or run.state != drawn:
        st.rerun()
    rows = sorted(
        visible.checkpoints(run.id),
        key=lambda checkpoint: (-checkpoint.global_step, checkpoint.kind),
    )
    evaluations = visible.evaluations(run.id)
    losses = {int(e["global_step"]): float(e["val_loss"]) for e in evaluations}
    best = visible.best_checkpoint(run.id)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"{count(len(rows), 'checkpoint')} saved")
        state_badge(run)
        st.page_link("pages/runs.py", label="Its curve", query_params={session_keys.RUN: run.id})
    for checkpoint in rows:
        show_checkpoint(run, checkpoint, losses, bool(best and checkpoint.id == best.id))


def show_checkpoint(
    run: Run, checkpoint: Checkpoint, losses: dict[int, float], is_best: bool
) -> None:
    """Show a checkpoint and its buttons."""
    step = int(checkpoint.global_step)
    loss = f" · validation loss {format_loss(losses[step])}" if step in losses else ""
    best = ", the lowest of those saved" if is_best else ""
    with st.container(border=True):
        at = "Before the first update" if step == INITIAL_STEP else f"Step {step:,}"
        st.text(f"{at}{loss}{best} · {KINDS[checkpoint.kind]}, {format_bytes(checkpoint.bytes)}")
        with st.container(horizontal=True):
            _show_actions(run, checkpoint)


def _show_actions(run: Run, checkpoint: Checkpoint) -> None:
    step = int(checkpoint.global_step)
    at = "initial" if step == INITIAL_STEP else f"step-{step:06d}"
    with st.popover("Take it with you"):
        for form, facts in WEIGHT_FORMS.items():
            st.caption(facts.opens_in)
            st.download_button(
                facts.title,
                # Made on request.
                partial(weights_zip, get_store(), checkpoint, form, actor=current_actor()),
                file_name=f"{run.id}-{at}-{form}.zip",
                on_click="ignore",
                key=f"take {checkpoint.id} {form}",
            )
    if st.button("Let it write", key=f"write {checkpoint.id}"):
        st.session_state[f"{session_keys.WALK_STEP}-{run.id}"] = step
        st.switch_page("pages/generate.py", query_params={session_keys.RUN: run.id})
    if st.button("Train it further", key=f"begin {checkpoint.id}", help="As a new run."):
        start_from(checkpoint_option(run.id, step))
    if not may_change(run.owner):
        return
    with st.popover("Delete"):
        if run.is_live:
            st.text("Its run is live and may need it: stop it first.")
        else:
            st.text(
                "It cannot be brought back."
                + (NEEDED.get(checkpoint.kind, "") if run.is_resumable else "")
            )
            st.button(
                "Delete for good",
                key=f"delete {checkpoint.id}",
                on_click=_delete,
                args=(checkpoint,),
            )


def _delete(checkpoint: Checkpoint) -> None:
    attempt(delete_checkpoint, get_store(), checkpoint, actor=current_actor())

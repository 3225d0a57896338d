"""Weights: the checkpoints of all runs, to take home or train further; models from elsewhere."""

from functools import partial
from typing import Any

import streamlit as st

from dashboard import models_view, state
from dashboard.frames import count, format_bytes, format_loss
from dashboard.initial_choice import begin_with, checkpoint_option
from dashboard.people import current_actor, get_view, may_change
from dashboard.refusals import attempt, fragment
from dashboard.runtime import get_store, tick_seconds
from dashboard.widgets import page_title, show_code, state_badge
from gpt_core.export import WEIGHT_FORMS, delete_checkpoint, weights_zip
from gpt_core.store import Run
from gpt_core.weights import (
    INITIAL_STEP,
    export_gpt2,
    load_book_checkpoint,
    load_gpt2,
    load_weights,
)

LIVE_SECONDS = 3  # between two drawings of what a live run keeps: it saves some and drops others
Row = dict[str, Any]  # of the store
NEEDED = {
    "whole": " Without it the run, resumed, begins anew.",
    "initial": " Without it the run cannot begin anew.",
}
KINDS = {
    "whole": "weights, optimizer and random state",
    "weights": "weights",
    "initial": "the weights it began with",
}


def choose_run(runs: dict[str, Run]) -> Run:
    """Let the user choose a run; the one that the address names comes first."""
    wanted = st.query_params.get(state.RUN)
    if wanted != st.session_state.get(state.WEIGHTS_LINK):  # somebody came by another link
        st.session_state[state.WEIGHTS_LINK] = wanted
        if wanted in runs:
            st.session_state[state.WEIGHTS_RUN] = wanted
    return runs[
        st.selectbox(
            "Run",
            list(runs),
            format_func=lambda run_id: describe(runs[run_id]),
            key=state.WEIGHTS_RUN,
            persist_state="session",
        )
    ]


def describe(run: Run) -> str:
    """Return what a run is called in the choice; Streamlit takes equal words for one choice."""
    named = f"{run.name} · {run.id}" if run.name else run.id
    return f"{named} · {run.text_name}"


def show_checkpoints(run_id: str, drawn: str) -> None:
    """Show what is kept of a run; redraw the whole page when it has ended."""
    view = get_view()
    run = view.run(run_id)
    if run is None or run.state != drawn:
        st.rerun()
    rows = sorted(view.checkpoints(run.id), key=lambda row: (-row["global_step"], row["kind"]))
    evaluations = view.evaluations(run.id)
    losses = {int(e["global_step"]): float(e["val_loss"]) for e in evaluations}
    best = view.best_checkpoint(run.id)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"{count(len(rows), 'checkpoint')} kept")
        state_badge(run)
        st.page_link("pages/runs.py", label="Its curve", query_params={state.RUN: run.id})
    for row in rows:
        show_checkpoint(run, row, losses, bool(best and row["id"] == best["id"]))


def show_checkpoint(run: Run, row: Row, losses: dict[int, float], is_best: bool) -> None:
    """Show one checkpoint, and what can be done with it."""
    step = int(row["global_step"])
    loss = f" · validation loss {format_loss(losses[step])}" if step in losses else ""
    best = ", the lowest of those kept" if is_best else ""
    with st.container(border=True):
        at = "Before the first update" if step == INITIAL_STEP else f"Step {step:,}"
        st.text(f"{at}{loss}{best} · {KINDS[row['kind']]}, {format_bytes(row['bytes'])}")
        with st.container(horizontal=True):
            _show_actions(run, row)


def _show_actions(run: Run, row: Row) -> None:
    step = int(row["global_step"])
    at = "initial" if step == INITIAL_STEP else f"step-{step:06d}"
    with st.popover("Take it with you"):
        for form, facts in WEIGHT_FORMS.items():
            st.caption(facts.opens_in)
            st.download_button(
                facts.title,
                # Made when it is asked for.
                partial(weights_zip, get_store(), row, form, current_actor()),
                file_name=f"{run.id}-{at}-{form}.zip",
                on_click="ignore",
                key=f"take {row['id']} {form}",
            )
    if st.button("Let it write", key=f"write {row['id']}"):
        st.session_state[f"{state.WALK_STEP}-{run.id}"] = step
        st.switch_page("pages/generate.py", query_params={state.RUN: run.id})
    if st.button("Train it further", key=f"begin {row['id']}", help="As a run of its own."):
        begin_with(checkpoint_option(run.id, step))
    if not may_change(run.owner):
        return
    with st.popover("Delete"):
        if run.is_live:
            st.text("Its run is live and may need it: stop it first.")
        else:
            st.text(
                "It cannot be brought back."
                + (NEEDED.get(row["kind"], "") if run.is_resumable else "")
            )
            st.button("Delete for good", key=f"delete {row['id']}", on_click=_delete, args=(row,))


def _delete(row: Row) -> None:
    attempt(delete_checkpoint, get_store(), row, current_actor())


page_title(
    "Weights",
    "What a run has learnt is a set of matrices. Take them home, train them further, or bring in "
    "those of others: OpenAI's GPT-2 among them.",
)
kept = {run.id: run for run in get_view().runs() if get_view().checkpoints(run.id)}
if kept:
    run = choose_run(kept)
    every = tick_seconds(LIVE_SECONDS) if run.is_live else None
    fragment(show_checkpoints, run_every=every)(run.id, run.state)
else:
    st.text("No run has kept weights yet: they are kept after each epoch, and when a run ends.")
    st.page_link("pages/home.py", label="Home starts a run with a press")

st.header("From elsewhere")
models_view.show_models()
models_view.bring_in()

st.subheader("In Python")
st.text("From there and back: our own folder, Hugging Face's GPT-2, a file of the book's own code.")
show_code(load_weights, load_gpt2, export_gpt2, load_book_checkpoint)

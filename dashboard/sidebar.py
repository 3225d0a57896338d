"""The current run, on every page."""

import streamlit as st

from dashboard import palette, state, widgets
from dashboard.frames import format_duration, format_loss, last_losses
from dashboard.runtime import get_board, get_runner
from gpt_core import PACE_STEPS, Run, run_progress

TRAIN_PAGE = "pages/train.py"


def show_current_run(is_on_train: bool) -> None:
    """Show the run that trains or, where none does, the latest; redrawn as it goes on.

    On the Train page its numbers stand on the page: they are not repeated beside it.
    """
    live = bool(get_runner().live_runs())
    brief = is_on_train and state.selected_run() == state.current_run()
    st.fragment(_watch, run_every=2 if live and not brief else 5)(state.outline(), brief)


def _watch(drawn: list[tuple[str, str]], brief: bool) -> None:
    """Redraw from the store; when a run has begun or ended, redraw the whole page."""
    if state.outline() != drawn:
        st.rerun()
    run = state.current_run()
    if run is None:
        st.caption("No run yet. Home starts one with a press.")
    else:
        _show(run, brief)


def _show(run: Run, brief: bool) -> None:
    with st.container(gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption("Current run" if run.is_live else "Latest run")
            widgets.state_badge(run)
        st.text(widgets.run_title(run))
        if not brief:
            _show_numbers(run)
        with st.container(horizontal=True):
            widgets.run_buttons(run, "sidebar")
        st.page_link(TRAIN_PAGE, label="Open", query_params={state.RUN: run.id})


def _show_numbers(run: Run) -> None:
    history = get_board().history(run.id)
    progress = run_progress(run, history.steps[-PACE_STEPS:])
    train_loss, val_loss = last_losses(history)
    st.progress(progress.fraction)
    rows = [
        ("Step", f"{progress.steps_done:,} of {progress.total_steps:,}", ""),
        ("Training loss", format_loss(train_loss), palette.TRAINING),
        ("Validation loss", format_loss(val_loss), palette.VALIDATION),
    ]
    if run.state == "running" and progress.seconds_left is not None:
        rows.append(("Time left", format_duration(progress.seconds_left), ""))
    st.html(_numbers(rows))


def _numbers(rows: list[tuple[str, str, str]]) -> str:
    """Return rows of label, number and colour as HTML: nothing in it is a user's text."""
    items = []
    for label, number, color in rows:
        dot = f' style="--dot: {color}"' if color else ""
        items.append(f'<span class="label"{dot}>{label}</span><span class="value">{number}</span>')
    return f'<div class="gpt-run">{"".join(items)}</div>'

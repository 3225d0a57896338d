"""The current run, in the sidebar of every page."""

import streamlit as st

from dashboard.app import (
    current_run,
    fragment,
    get_cached_store,
    get_visible_runs,
    is_restricted,
    may_change,
    note_presence,
    outline,
    refresh_seconds,
    selected_run,
    session_keys,
)
from dashboard.charts import format_duration, format_loss, last_losses, palette
from dashboard.ui.run_controls import run_buttons, state_badge, watch_button
from dashboard.ui.run_description import describe_place, run_title
from gpt_core.analysis import SPEED_STEPS, run_progress
from gpt_core.store import Run, RunState

TRAIN_PAGE = "pages/train.py"


def show_current_run(page: str) -> None:
    """Show the run that trains or, if there is none, the latest; redraw it regularly.

    On the Train page its numbers are left out if the page itself shows them.
    """
    live = bool(get_cached_store().live_runs())
    shorten = page == "Train" and selected_run() == current_run()
    every = max(2 if live and not shorten else 5, 2 * refresh_seconds())
    fragment(_watch, run_every=every)(outline(), shorten, page)


def _watch(drawn: list[tuple[str, str]], shorten: bool, page: str) -> None:
    """Redraw from the store; when the outline has changed, redraw the whole page."""
    note_presence(page)
    if outline() != drawn:
        st.rerun()
    run = current_run()
    if run is None:
        st.caption("No run yet. Start one on Home.")
    else:
        _show(run, shorten, page)


def _show(run: Run, shorten: bool, page: str) -> None:
    with st.container(gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(_which(run))
            state_badge(run)
        st.text(run_title(run))
        if not shorten:
            _show_numbers(run)
        with st.container(horizontal=True, vertical_alignment="center"):
            run_buttons(run, "sidebar")
            if page != "Train":
                st.page_link(TRAIN_PAGE, label="Open", query_params={session_keys.RUN: run.id})
            elif not shorten:
                watch_button("Open", run)


def _which(run: Run) -> str:
    """Return which run is shown, in words."""
    if is_restricted() and may_change(run.owner):
        return "Your run" if run.is_live else "Your latest run"
    return "Current run" if run.is_live else "Latest run"


def _show_numbers(run: Run) -> None:
    history = get_visible_runs().history(run.id)
    progress = run_progress(run, history.recorded.steps[-SPEED_STEPS:])
    train_loss, val_loss = last_losses(history.recorded)
    st.progress(progress.fraction)
    rows = [
        ("Steps", f"{progress.steps_done:,} of {progress.total_steps:,}", ""),
        ("Training loss", format_loss(train_loss), palette.TRAINING),
        ("Validation loss", format_loss(val_loss), palette.VALIDATION),
    ]
    if run.state is RunState.QUEUED:
        st.caption(describe_place(run))
    if run.state is RunState.RUNNING and progress.seconds_left is not None:
        rows.append(("Time left", format_duration(progress.seconds_left), ""))
    st.html(_numbers(rows))


def _numbers(rows: list[tuple[str, str, str]]) -> str:
    """Return rows of label, number and colour as HTML; none contains a user's text."""
    items = []
    for label, number, color in rows:
        dot = f' style="--dot: {color}"' if color else ""
        items.append(f'<span class="label"{dot}>{label}</span><span class="value">{number}</span>')
    return f'<div class="gpt-run">{"".join(items)}</div>'

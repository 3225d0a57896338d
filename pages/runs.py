"""Runs: all runs trained here, to compare, rename, delete, run again and download."""

import streamlit as st

from dashboard.app import (
    attempt,
    choose_runs,
    chosen_runs,
    current_actor,
    fragment,
    get_store,
    get_visible_runs,
    may_change,
    owner_name,
    restore_recorded_run,
    session_keys,
)
from dashboard.charts import count, format_bytes
from dashboard.components.run_table import run_table
from dashboard.runs import show_exports, show_side_by_side
from dashboard.train import fill_form
from dashboard.ui import delete_button, describe_run, page_title, state_badge
from gpt_core.export import RECORDED_RUN
from gpt_core.library import MAX_NAME_LENGTH, MAX_NOTE_LENGTH, delete_run, label_run
from gpt_core.store import Run, RunSummary
from gpt_core.system import shorten

TRAIN_PAGE = "pages/train.py"


def show_list(drawn: list[tuple[str, ...]]) -> None:
    """Show all runs; redraw the whole page when the choice, or a chosen run, changes."""
    summaries = get_visible_runs().summaries()
    revision = st.session_state.get(session_keys.CHOSEN_REVISION, 0)
    chosen, opened = run_table(summaries, chosen_runs(), revision, key=session_keys.RUN_TABLE)
    if opened:
        st.switch_page(TRAIN_PAGE, query_params={session_keys.RUN: opened})
    by_id = {summary.run.id: summary.run for summary in summaries}
    if outline([by_id[run_id] for run_id in chosen]) != drawn or not summaries:
        choose_runs(chosen)
        st.session_state[session_keys.CHOSEN] = chosen
        st.rerun()


def outline(runs: list[Run]) -> list[tuple[str, ...]]:
    """Return what the layout below the table depends on."""
    return [(run.id, run.state, run.name, run.note) for run in runs]


def show_actions(summaries: list[RunSummary]) -> None:
    """Show the chosen runs and their buttons."""
    runs = [summary.run for summary in summaries]
    if len(runs) > 1:
        st.header(f"{len(runs)} runs side by side")
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(runs) == 1:
            (run,) = runs
            st.text(run.name or run.id)
            state_badge(run)
            st.page_link(TRAIN_PAGE, label="Open", query_params={session_keys.RUN: run.id})
            if not run.is_redacted and st.button("Run again with changes") and fill_form(run):
                st.switch_page(TRAIN_PAGE, query_params={session_keys.RUN: run.id})
            if may_change(run.owner):
                with st.popover("Edit name and note"):
                    show_label(run)
        if all(may_change(run.owner) for run in runs):
            with st.popover("Delete"):
                show_deletion(runs)
    if len(runs) == 1:
        whose = owner_name(run.owner)
        st.text(describe_run(run) + (f" · {whose}" if whose else ""))
        if run.note:
            st.text(run.note)


def show_label(run: Run) -> None:
    """Let the user edit a run's name and note."""
    # New fields after a change in another session, which would otherwise be undone.
    written = hash((run.name, run.note))
    keys = [f"{part}-{run.id}-{written}" for part in (session_keys.NAME, session_keys.NOTE)]
    with st.form(f"label {run.id}", border=False):
        st.text_input("Name", run.name, max_chars=MAX_NAME_LENGTH, key=keys[0])
        st.text_area("Note", run.note, max_chars=MAX_NOTE_LENGTH, key=keys[1])
        st.form_submit_button("Save", type="primary", on_click=_label, args=(run.id, *keys))


def _label(run_id: str, name_key: str, note_key: str) -> None:
    name, note = (st.session_state[key] or "" for key in (name_key, note_key))
    attempt(label_run, get_store(), run_id, name, note, actor=current_actor())


def show_deletion(runs: list[Run]) -> None:
    """Say what is deleted with the runs, and delete them once that is confirmed."""
    if live := [run for run in runs if run.is_live and not get_store().seconds_silent(run)]:
        names = ", ".join(run.name or run.id for run in live)
        st.text(f"Still live: {names}. Stop what is live first, or leave it out.")
        return
    checkpoints = [row for run in runs for row in get_visible_runs().checkpoints(run.id)]
    size = format_bytes(sum(row.bytes for row in checkpoints))
    st.text(
        f"{count(len(runs), 'run')} with curves, samples and "
        f"{count(len(checkpoints), 'checkpoint')} ({size}). This cannot be undone. The text "
        "is deleted too, unless another run needs it or it is among your texts on Data."
    )
    delete_button("runs", _delete, [run.id for run in runs])


def _delete(run_ids: list[str]) -> None:
    left = [run_id for run_id in chosen_runs() if run_id not in run_ids]
    for run_id in run_ids:
        if not attempt(delete_run, get_store(), run_id, actor=current_actor()):
            left.append(run_id)
    choose_runs(left)


page_title(
    "Runs",
    "The runs on this machine. Choose one to see it and take it with you, "
    "or several to compare them.",
)
wanted = chosen_runs()
if RECORDED_RUN in wanted and get_visible_runs().run(RECORDED_RUN) is None:
    restore_recorded_run()
if wanted != st.session_state.get(session_keys.CHOSEN):  # the address was changed, not the table
    st.session_state[session_keys.CHOSEN] = wanted
    st.session_state[session_keys.CHOSEN_REVISION] = (
        st.session_state.get(session_keys.CHOSEN_REVISION, 0) + 1
    )
by_id = {summary.run.id: summary for summary in get_visible_runs().summaries()}
chosen = [by_id[run_id] for run_id in wanted if run_id in by_id]
if unknown := [shorten(run_id) for run_id in wanted if run_id not in by_id]:
    more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
    st.text(f"There is no run {', '.join(unknown[:3])}{more}: deleted, or trained elsewhere.")
if not by_id:
    st.text("Nothing has been trained yet.")
    st.page_link("pages/home.py", label="Start one on Home")
    st.stop()
every = 2 if get_visible_runs().live_runs() else 5
fragment(show_list, run_every=every)(outline([summary.run for summary in chosen]))
if chosen:
    with st.container(key=session_keys.CHOSEN_PART):  # the table scrolls to it
        show_actions(chosen)
        show_side_by_side([summary.run for summary in chosen])
        show_exports([summary.run for summary in chosen])

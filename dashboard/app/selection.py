"""The runs that a page shows, by its URL, and the state that decides its layout."""

from collections.abc import Sequence

import streamlit as st

from dashboard.app.runtime import get_runner, get_store
from dashboard.app.session_keys import PROJECTOR, REPLAY, RUN
from dashboard.app.visitor import get_visible_runs, is_projected, is_restricted, may_change
from gpt_core.export import RECORDED_RUN, import_recorded_run
from gpt_core.store import Run, RunState


def selected_run() -> Run | None:
    """Return the run that the URL names or, if it names none, the current one."""
    run_id = st.query_params.get(RUN)
    if not run_id:
        return current_run()
    return get_visible_runs().run(run_id) or (
        restore_recorded_run() if run_id == RECORDED_RUN else None
    )


def restore_recorded_run() -> Run | None:
    """Import the recorded run for its URL; return it, or None if it has been deleted here."""
    store = get_store()
    if any(row.run_id == RECORDED_RUN for row in store.deletions()):
        return None
    import_recorded_run(store)
    return store.run(RECORDED_RUN)


def current_run() -> Run | None:
    """Return the run that trains now or, if there is none, the latest.

    A student gets a run of their own, if they have one; else a live run of the class.
    """
    visible = get_visible_runs()
    own = visible.own_live_runs()
    if own:
        return next((run for run in own if run.state is RunState.RUNNING), own[0])
    latest = visible.latest_run()
    if latest is None or may_change(latest.owner):
        return latest
    return next(
        iter(visible.live_runs()), latest
    )  # the first, so that the page does not change with each start


def select_run(run_id: str) -> None:
    """Put a run's ID into the URL, so that a reload or a shared link shows it."""
    st.query_params.pop(REPLAY, None)
    st.query_params[RUN] = run_id


def chosen_runs() -> list[str]:
    """Return the IDs of the runs that the URL names: on the Runs page, the chosen ones."""
    return [run_id for run_id in dict.fromkeys(st.query_params.get_all(RUN)) if run_id]


def choose_runs(run_ids: Sequence[str]) -> None:
    """Put runs' IDs into the URL, so that a reload or a shared link shows them."""
    if run_ids:
        st.query_params[RUN] = list(run_ids)
    else:
        st.query_params.pop(RUN, None)


def outline() -> list[tuple[str, str]]:
    """Return the state that decides a page's layout: its runs, its modes and the class's rules."""
    runs = [*get_visible_runs().own_live_runs(), *filter(None, (current_run(), selected_run()))]
    rules = []
    if is_restricted():
        rules = [("rules", f"{get_runner().rules} {get_runner().is_held}")]
    modes = [(name, st.query_params.get(name, "")) for name in (REPLAY, PROJECTOR)]
    return [*((run.id, run.state) for run in runs), *modes, *rules]


def toggle_projector() -> None:
    """Switch projector mode on or off."""
    if is_projected():
        del st.query_params[PROJECTOR]
    else:
        st.query_params[PROJECTOR] = "1"

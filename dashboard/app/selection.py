"""Which runs a page shows, by its address; what a page is arranged by."""

from collections.abc import Sequence

import streamlit as st

from dashboard.app.runtime import get_runner, get_store
from dashboard.app.session_keys import PROJECTOR, REPLAY, RUN
from dashboard.app.visitor import get_visible_runs, is_restricted, may_change
from gpt_core.export import RECORDED_RUN, import_recorded_run
from gpt_core.store import Run, RunState


def selected_run() -> Run | None:
    """Return the run that the URL names or, where it names none, the current one."""
    run_id = st.query_params.get(RUN)
    if not run_id:
        return current_run()
    return get_visible_runs().run(run_id) or (
        restore_recorded_run() if run_id == RECORDED_RUN else None
    )


def restore_recorded_run() -> Run | None:
    """Let the recorded run's address work where nobody has opened it yet, nor deleted it."""
    store = get_store()
    if any(row.run_id == RECORDED_RUN for row in store.deletions()):
        return None
    import_recorded_run(store)
    return store.run(RECORDED_RUN)


def current_run() -> Run | None:
    """Return the run that trains now or, where none does, the latest.

    Of a student's own, if they have any; else what trains in the class.
    """
    view = get_visible_runs()
    own = view.own_live_runs()
    if own:
        return next((run for run in own if run.state is RunState.RUNNING), own[0])
    latest = view.latest_run()
    if latest is None or may_change(latest.owner):
        return latest
    return next(
        iter(view.live_runs()), latest
    )  # the first: a page is not to change with each start


def select_run(run_id: str) -> None:
    """Put a run's ID into the URL, so that a reload or a shared link shows it."""
    st.query_params.pop(REPLAY, None)
    st.query_params[RUN] = run_id


def chosen_runs() -> list[str]:
    """Return the IDs of the runs that the URL names: on the Runs page, those that are chosen."""
    return [run_id for run_id in dict.fromkeys(st.query_params.get_all(RUN)) if run_id]


def choose_runs(run_ids: Sequence[str]) -> None:
    """Put runs' IDs into the URL, so that a reload or a shared link shows the same."""
    if run_ids:
        st.query_params[RUN] = list(run_ids)
    else:
        st.query_params.pop(RUN, None)


def outline() -> list[tuple[str, str]]:
    """Return what a page is arranged by: the live, the current and the shown run, and how."""
    runs = [*get_visible_runs().own_live_runs(), *filter(None, (current_run(), selected_run()))]
    rules = []
    if is_restricted():
        rules = [("rules", f"{get_runner().rules} {get_runner().is_held}")]
    modes = [(name, st.query_params.get(name, "")) for name in (REPLAY, PROJECTOR)]
    return [*((run.id, run.state) for run in runs), *modes, *rules]


def is_projected() -> bool:
    """Tell whether the page is shown to a class: larger, and only what matters."""
    return PROJECTOR in st.query_params


def toggle_projector() -> None:
    """Go over to the projector's page, or back."""
    if is_projected():
        del st.query_params[PROJECTOR]
    else:
        st.query_params[PROJECTOR] = "1"

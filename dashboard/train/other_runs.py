"""The live runs beside the one that is shown."""

import streamlit as st

from dashboard.charts import count
from dashboard.ui import run_title, state_badge, watch_button
from gpt_core.store import Run

MAX_OTHERS = 3  # live runs that are named


def show_others(live: list[Run], shown: Run | None) -> None:
    """Link to the other live runs, and to Runs if there are many."""
    others = [run for run in live if shown is None or run.id != shown.id]
    for run in others[:MAX_OTHERS]:
        with st.container(horizontal=True, vertical_alignment="center"):
            state_badge(run)
            st.text(run_title(run))
            watch_button("Watch", run)
    if (more := len(others) - MAX_OTHERS) > 0:
        st.page_link("pages/runs.py", label=f"{count(more, 'more live run')}")

"""Taking runs away: in which form, and the button that downloads it."""

from collections.abc import Sequence

import streamlit as st

from dashboard import state
from dashboard.runtime import get_store
from gpt_core import EXPORTS, Run, export_runs


def show_exports(runs: Sequence[Run]) -> None:
    """Let the user choose a form, and download the runs in it."""
    st.subheader("Take it with you" if len(runs) == 1 else "Take them with you")
    form = st.pills(
        "Form",
        list(EXPORTS),
        default="csv",
        format_func=lambda form: EXPORTS[form].title,
        required=True,
        label_visibility="collapsed",
        key=state.EXPORT,
        persist_state="session",
    )
    form = form or "csv"
    is_zip_of_files = len(runs) > 1 and form != "tensorboard"
    st.caption(EXPORTS[form].opens_in + (" A ZIP with one for each." if is_zip_of_files else ""))
    store, ids = get_store(), [run.id for run in runs]
    if form == "text":  # what can be lost is looked at before it is asked for
        try:
            for run in runs:
                store.text(run.text_sha256)
        except ValueError as error:
            st.text(f"{run.id}: {error}")
            return
    name = EXPORTS[form].file_name(runs[0]) if len(runs) == 1 else f"runs.{form}.zip"
    st.download_button(
        f"Download {name}",
        lambda: export_runs(store, runs, form)[1],  # made when it is asked for
        file_name=name,
        type="primary",
        on_click="ignore",
        key=f"download {form} {' '.join(ids)}",
    )

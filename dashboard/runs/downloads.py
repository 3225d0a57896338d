"""Downloads of runs: the choice of a form, and the button."""

from collections.abc import Sequence

import streamlit as st

from dashboard.app import current_actor, get_store, session_keys
from gpt_core.export import EXPORTS, export_runs
from gpt_core.store import Run


def show_exports(runs: Sequence[Run]) -> None:
    """Let the user choose a form and download the runs in it."""
    st.header("Export")
    is_private = any(run.is_redacted for run in runs)
    forms = [form for form, export in EXPORTS.items() if export.is_curves or not is_private]
    form = st.pills(
        "Form",
        forms,
        default="csv",
        format_func=lambda form: EXPORTS[form].title,
        required=True,
        label_visibility="collapsed",
        key=session_keys.EXPORT,
        persist_state="session",
    )
    form = form or "csv"
    is_zip_of_files = len(runs) > 1 and form != "tensorboard"
    st.caption(
        EXPORTS[form].opens_in
        + (" As a ZIP, with one file for each run." if is_zip_of_files else "")
    )
    actor = current_actor()  # the callback of the download knows no visitor
    store, ids = get_store(), [run.id for run in runs]
    if is_private:
        st.caption("A private run's curves are for all, the rest for its owner and the teacher.")
    if form == "text":  # a missing text is reported before the download
        try:
            for run in runs:
                store.text(run.text_sha256)
        except ValueError as error:
            st.text(f"{run.id}: {error}")
            return
    name = EXPORTS[form].file_name(runs[0]) if len(runs) == 1 else f"runs.{form}.zip"
    st.download_button(
        f"Download {name}",
        lambda: export_runs(store, runs, form, actor=actor)[1],  # made on request
        file_name=name,
        type="primary",
        on_click="ignore",
        key=f"download {form} {' '.join(ids)}",
    )

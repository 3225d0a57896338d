"""What is told of a damaged record, until it has been read."""

from pathlib import Path

import streamlit as st

from dashboard.app import attempt, get_store, is_restricted


def show_notices() -> None:
    """Tell of a damaged record, until somebody has read it: not the students of a class."""
    for path, notice in get_store().notices().items() if not is_restricted() else ():
        with st.container(border=True):
            st.text(notice)
            st.button("I have read this", key=f"read {path.name}", on_click=_dismiss, args=(path,))


def _dismiss(notice: Path) -> None:
    attempt(notice.unlink, missing_ok=True)

"""Notices of damaged records, shown until they are dismissed."""

from pathlib import Path

import streamlit as st

from dashboard.app import attempt, get_store, is_restricted


def show_notices() -> None:
    """Show notices of damaged records until they are dismissed; a class's students see none."""
    for path, notice in get_store().notices().items() if not is_restricted() else ():
        with st.container(border=True):
            st.text(notice)
            st.button("Dismiss", key=f"read {path.name}", on_click=_dismiss, args=(path,))


def _dismiss(notice: Path) -> None:
    attempt(notice.unlink, missing_ok=True)

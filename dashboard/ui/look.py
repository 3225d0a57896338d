"""The style rules that the theme cannot express."""

from pathlib import Path

import streamlit as st

from dashboard.app import is_projected

LOOK = Path(__file__).parent / "look.css"
PROJECTOR_LOOK = Path(__file__).parent / "projector.css"


def apply_look() -> None:
    """Apply the few style rules that the theme cannot express."""
    st.html(LOOK)
    if is_projected():
        st.html(PROJECTOR_LOOK)

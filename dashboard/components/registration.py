"""Registering the app's own components with Streamlit."""

from pathlib import Path
from typing import Any

import streamlit as st


def register(name: str, html: str) -> Any:
    """Register the component whose JavaScript and CSS are in the folder of its name.

    Its styles are not isolated, that is, not in a shadow root: they use the page's colours, and
    Plotly puts its own into the page's head.

    Args:
        name: the component's name, and that of its folder and of its two files.
        html: the markup it starts with.
    """
    files = Path(__file__).parent / name / name
    return st.components.v2.component(
        name,
        html=html,
        css=files.with_suffix(".css").read_text(),
        js=files.with_suffix(".js").read_text(),
        isolate_styles=False,
    )

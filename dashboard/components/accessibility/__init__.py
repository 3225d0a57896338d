"""What Streamlit's own markup leaves out for keyboards and screen readers, put in by the browser.

The browser tests ask axe-core whether anything serious is left.
"""

from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "accessibility",
    html="<span hidden></span>",
    js=(Path(__file__).parent / "accessibility.js").read_text(),
    isolate_styles=False,  # it improves the page around it
)


def improve_markup() -> None:
    """Improve the page as it is now, and whenever it changes."""
    _component(key="accessibility")

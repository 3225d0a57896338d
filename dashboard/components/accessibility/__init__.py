"""Accessibility that Streamlit's markup lacks, for keyboards and screen readers.

The browser tests check with axe-core that nothing serious is left.
"""

from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "accessibility",
    html="<span hidden></span>",
    js=(Path(__file__).parent / "accessibility.js").read_text(),
    isolate_styles=False,  # it changes the page around it
)


def improve_markup() -> None:
    """Improve the markup of the page now, and whenever it changes."""
    _component(key="accessibility")

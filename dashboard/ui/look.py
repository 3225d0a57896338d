"""The style rules that the theme cannot express, and the two buttons that they style.

An action is a button, a way to another page a link, a state a badge.
"""

from collections.abc import Callable
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


def way_button(label: str, key: str, help: str | None = None) -> bool:
    """Show a way to another page that sets something first: a button that looks like a link."""
    return st.button(label, type="tertiary", key=f"way {key}", help=help)


def delete_button(key: str, delete: Callable[..., None], *args: object) -> None:
    """Show the button that deletes something permanently, in red."""
    st.button("Delete for good", type="primary", key=f"delete {key}", on_click=delete, args=args)

"""A page that lost its connection to a class goes to the door if its browser is no member's."""

from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "door_watch",
    html="<span hidden></span>",
    js=(Path(__file__).parent / "door_watch.js").read_text(),
    isolate_styles=False,  # it looks at the page around it
)


def watch_for_the_door() -> None:
    """Reload the page, which leads to the door, if it is refused when it connects again.

    So the open pages of a class that has ended, or of a student who was removed while a laptop
    slept, do not go on saying that they connect.
    """
    _component(key="door_watch")

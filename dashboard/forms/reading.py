"""Reading an uploaded file: in turns, with what it waits for, while its page is open."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard.app import current_actor, get_reading_turns
from gpt_core.system import Watch


@contextmanager
def reading_turn(doing: str) -> Iterator[Watch]:
    """Wait for a turn to read a file; yield what the reader tells how long it takes.

    Streamlit ends the script of a tab that was closed, or of a page that is left, where it shows
    something: each line that is shown here is such a place. The reader then ends too.
    """
    with st.spinner(doing):
        line = st.empty()
        try:
            with get_reading_turns().turn(current_actor(), line.caption):
                yield line.caption
        finally:
            line.empty()

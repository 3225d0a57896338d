"""Parts of a page that are redrawn by themselves."""

from collections.abc import Callable
from functools import wraps

import streamlit as st

from dashboard.app.errors import P, errors_in_words
from dashboard.app.visitor import was_sent_out


def fragment(draw: Callable[P, None], run_every: float | None = None) -> Callable[P, object]:
    """Return a part of a page that is redrawn by itself, each time saying what goes wrong in it."""

    @wraps(draw)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        with errors_in_words():
            if was_sent_out():
                st.rerun()  # the whole page, which says so
            draw(*args, **kwargs)

    return st.fragment(guarded, run_every=run_every)

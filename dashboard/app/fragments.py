"""Parts of a page that are redrawn on their own."""

from collections.abc import Callable
from functools import wraps

import streamlit as st

from dashboard.app.errors import P, errors_in_words
from dashboard.app.visitor import page_turn, was_sent_out


def fragment(draw: Callable[P, None], run_every: float | None = None) -> Callable[P, object]:
    """Return a part of a page that is redrawn on its own and shows its failures in words."""

    @wraps(draw)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        with errors_in_words():
            if was_sent_out():
                st.rerun()  # the whole page says why
            with page_turn():
                draw(*args, **kwargs)

    return st.fragment(guarded, run_every=run_every)

"""The replay of a run that has ended, at ten times its speed: a view of its history.

The address holds the time at which the replay began: a reload, or another browser with the same
address, shows the same moment.
"""

import math
import time

import streamlit as st

from dashboard.app import session_keys
from gpt_core.analysis import CachedHistory
from gpt_core.store import Run

SPEED = 10


def begin() -> None:
    """Begin the replay of the run that is shown."""
    st.query_params[session_keys.REPLAY] = f"{time.time():.1f}"


def end() -> None:
    """Show the whole run again."""
    st.query_params.pop(session_keys.REPLAY, None)


def moment(run: Run, history: CachedHistory) -> float | None:
    """Return how many seconds of the run have been replayed; None if all is shown."""
    if run.is_live or session_keys.REPLAY not in st.query_params:
        return None
    try:
        seconds = SPEED * (time.time() - float(st.query_params[session_keys.REPLAY]))
    except ValueError:
        seconds = math.inf
    if not -SPEED <= seconds < history.recorded.seconds:  # it is over, or the address is invalid
        end()
        st.rerun()  # the whole page, not only this fragment
    return max(0.0, seconds)  # by rounding, it may begin a moment from now

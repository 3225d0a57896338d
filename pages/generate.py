"""Generate: how the next token is chosen, and what a model writes under settings side by side."""

import streamlit as st

from dashboard.app import session_keys
from dashboard.forms import choose_model
from dashboard.generate import decoding, writing
from dashboard.ui import page_title, show_code
from gpt_core.model import generate, stream_tokens
from gpt_core.presets import PRESETS

page_title(
    "Generate",
    "From always the most probable token to controlled randomness: temperature, top-k and top-p, "
    "and the choice behind each token.",
)


def let_write() -> None:
    """Let the user choose a model and show what it writes."""
    st.header("Let a model write")
    with st.container(border=True):
        chosen = choose_model()
        if st.session_state.get(session_keys.WALK_MODEL) in PRESETS:
            st.caption(
                "It has learnt nothing yet: its weights are random. Runs that have trained are in "
                "the list, too."
            )
        if chosen is not None:
            writing.ask(chosen)
    writing.show()
    show_code(generate, stream_tokens)


if session_keys.RUN in st.query_params:  # opened by a link to let this run write
    let_write()
    decoding.show_nine_words()
else:
    decoding.show_nine_words()
    let_write()

"""Generate: how the next token is chosen, and what a model writes under settings side by side."""

import streamlit as st

from dashboard import decoding_view, writing_view
from dashboard.model_choice import choose_model
from dashboard.widgets import page_title, show_code
from gpt_core import generate, stream_tokens

page_title(
    "Generate",
    "From always the likeliest token to a measured surprise: temperature, top-k and top-p, and "
    "the choice behind each token.",
)
decoding_view.show_nine_words()

st.header("Let a model write")
with st.container(border=True):
    chosen = choose_model()
    if chosen is not None:
        writing_view.ask(chosen)
writing_view.show()
show_code(generate, stream_tokens)

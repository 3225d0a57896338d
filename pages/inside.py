"""Inside: what forms in a GPT while it learns, seen with one text and one model."""

import streamlit as st

from dashboard.forms import choose_model
from dashboard.inside import text_in_colour, words
from dashboard.inside.reading import choose_reading
from dashboard.ui import page_title

page_title(
    "Inside",
    "What happens between a token and the next: one text, one model, and every part of it.",
)
chosen = choose_model()
reading = choose_reading(chosen) if chosen else None
if reading:
    st.header("Text in colour")
    text_in_colour.show(reading)
    st.header("Words as places")
    words.show(reading)

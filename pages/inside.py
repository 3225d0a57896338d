"""Inside: what forms in a GPT while it learns, seen with one text and one model."""

import streamlit as st

from dashboard.forms import choose_model, chosen_run
from dashboard.inside import over_time
from dashboard.inside.reading import choose_reading
from dashboard.ui import page_title

page_title(
    "Inside",
    "What happens between a token and the next: one text, one model, and every part of it.",
)
chosen = choose_model()
reading = choose_reading(chosen) if chosen else None

st.header("Time")
over_time.show(chosen_run())

"""Inside: what forms in a GPT while it learns, seen with one text and one model."""

import streamlit as st

from dashboard.app import fragment
from dashboard.forms import choose_model, chosen_run
from dashboard.inside import OVER_TIME, PARTS, address, choose_reading, over_time, show_part
from dashboard.ui import heading, page_title, show_contents

page_title(
    "Inside",
    "What happens between a token and the next: one text, one model, and every part of it.",
)
show_contents([*PARTS, OVER_TIME])
address.restore()
chosen = choose_model(prefers_run=True)
reading = choose_reading(chosen) if chosen else None
if chosen and reading:
    address.keep()
    st.caption(
        "Choose a token above: all parts below follow it. The address of this page holds "
        "what you see."
    )
    for title in PARTS:
        heading(title)
        fragment(show_part)(title, chosen.fetch, reading.name, reading.ids, reading.position)
heading(OVER_TIME)
over_time.show(chosen_run())

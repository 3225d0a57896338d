"""Loss: from rows of text, step by step, to one number and what it means."""

import streamlit as st

from dashboard.app import fragment
from dashboard.charts import count
from dashboard.forms import choose_model, chosen_run
from dashboard.loss import cross_entropies, probe_history, text_loss, walk_section
from dashboard.ui import page_title
from gpt_core.model import count_parameters

page_title(
    "Loss",
    "How badly does a model predict the next token? Six steps from its answer "
    "to one number, with your own words and a model of your choice.",
)

chosen = choose_model()
if chosen:
    config = chosen.model.config
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(
            f"{chosen.name}: {count_parameters(chosen.model):,} parameters, "
            f"{count(config.n_layers, 'layer')}, {count(config.n_heads, 'head')}, float32, "
            "dropout off."
        )
        st.page_link("pages/model.py", label="Its parts")
fragment(walk_section.show_walk)(chosen.fetch if chosen else None)

st.header("Two classes, many classes: one cross-entropy")
cross_entropies.show()

st.header("Its loss on a whole text")
text_loss.show(chosen)

st.header("A run's own rows while it trains")
probe_history.show(chosen_run())

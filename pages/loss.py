"""Loss: from rows of text, step by step, to one number and what it means."""

import streamlit as st

from dashboard.app import fragment, session_keys
from dashboard.charts import count
from dashboard.forms import choose_model, chosen_run
from dashboard.loss import contents, cross_entropies, probe_history, text_loss, walk_section
from dashboard.ui import heading, page_title, show_contents
from gpt_core.model import count_parameters

page_title(
    "Loss",
    "How badly does a model predict the next token? Six steps from its answer "
    "to one number, with your own words and a model of your choice.",
)


def show_own_rows() -> None:
    """Show the probes of the chosen run."""
    heading(contents.OWN_ROWS)
    probe_history.show(chosen_run())


from_run = (
    session_keys.RUN in st.query_params
)  # opened by a run's link to its rows: they come first
own = [contents.OWN_ROWS]
show_contents([*own * from_run, *contents.CONTENTS, *own * (not from_run)])
chosen = choose_model()
if chosen:
    config = chosen.model.config
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(
            f"{chosen.name}: {count_parameters(chosen.model):,} parameters, "
            f"{count(config.n_layers, 'layer')}, {count(config.n_heads, 'head')}, float32, "
            "dropout off."
        )
        st.page_link("pages/model.py", label="The parts of a GPT")
        st.page_link("pages/inside.py", label="Inside this model")

if from_run:
    show_own_rows()
if chosen:
    model = chosen.model
    fragment(walk_section.show_walk)(chosen.fetch, model.config.context_length, model.vocabulary)
else:
    fragment(walk_section.show_walk)(None)

heading("Two classes, many classes: one cross-entropy")
cross_entropies.show()

heading("Its loss on a whole text")
text_loss.show(chosen)

if not from_run:
    show_own_rows()

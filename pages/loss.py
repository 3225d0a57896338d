"""Loss: from rows of text, step by step, to one number and what it means."""

import streamlit as st

from dashboard import cross_entropies, loss_walk, probe_history, text_loss, walk_steps
from dashboard.frames import count
from dashboard.model_choice import choose_model, chosen_run
from dashboard.refusals import show_refusal
from dashboard.widgets import page_title, show_code
from gpt_core import count_parameters, loss_walkthrough

page_title(
    "Loss",
    "How badly does a model predict the next token? Six steps from its answer "
    "to one number, with your own words and a model of your choice.",
)

with st.container(border=True):
    rows = loss_walk.enter_rows()
    chosen = choose_model()

if rows and chosen:
    with st.container(horizontal=True, vertical_alignment="center"):
        config = chosen.model.config
        about = (
            f"{count_parameters(chosen.model):,} parameters, {count(config.n_layers, 'layer')}, "
            f"{count(config.n_heads, 'head')}, float32, dropout off"
        )
        st.text(f"{chosen.name}: {about}.")
        st.page_link("pages/model.py", label="Its parts")
    try:
        walk = loss_walk.take_walk(chosen.model, rows)
    except ValueError as error:
        show_refusal(error)
    else:
        walk_steps.show_result(walk)
        walk_steps.show_rows(walk)
        position = walk_steps.choose_position(walk)
        walk_steps.show_logits(walk, position)
        walk_steps.show_probas(walk, position)
        walk_steps.show_predictions(walk)
        walk_steps.show_target_probas(walk)
        walk_steps.show_logs(walk)
        walk_steps.show_mean(walk)
        walk_steps.show_loss(walk)
        walk_steps.show_one_call(walk)
        walk_steps.show_perplexity(walk)
        st.header("Every position")
        walk_steps.show_table(walk)
        show_code(loss_walkthrough)

st.header("Two classes, many classes: one cross-entropy")
cross_entropies.show()

st.header("Its loss on a whole text")
text_loss.show(chosen)

st.header("A run's own rows while it trains")
probe_history.show(chosen_run())

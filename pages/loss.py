"""Loss: from rows of text, step by step, to one number and what it means."""

import streamlit as st

from dashboard import cross_entropies, loss_walk, probe_history, state
from dashboard.model_choice import choose_model
from dashboard.widgets import show_code, show_refusal
from gpt_core import count_parameters, loss_walkthrough

st.title("Loss")
st.html(
    '<p class="gpt-lead">How badly does a model predict the next token? Six steps from its answer '
    "to one number, with your own words and a model of your choice.</p>"
)

with st.container(border=True):
    rows = loss_walk.enter_rows()
    chosen = choose_model()

if rows and chosen:
    st.caption(f"{count_parameters(chosen.model):,} parameters, dropout off, float32.")
    try:
        walk = loss_walk.take_walk(chosen.model, rows)
    except ValueError as error:
        show_refusal(error)
    else:
        loss_walk.show_rows(walk)
        position = loss_walk.choose_position(walk)
        loss_walk.show_logits(walk, position)
        loss_walk.show_probas(walk, position)
        loss_walk.show_predictions(walk)
        loss_walk.show_target_probas(walk)
        loss_walk.show_logs(walk)
        loss_walk.show_mean(walk)
        loss_walk.show_loss(walk)
        loss_walk.show_one_call(walk)
        loss_walk.show_perplexity(walk)
        st.header("Every position")
        loss_walk.show_table(walk)
        show_code(loss_walkthrough)

st.header("Two classes, many classes: one cross-entropy")
cross_entropies.show()

st.header("The same rows while a model trains")
probe_history.show(chosen.run if chosen and chosen.run else state.current_run())

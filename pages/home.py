"""Home: what this is, and one button that starts it."""

import streamlit as st

from dashboard import state
from dashboard.runtime import get_runner, get_store
from dashboard.widgets import run_title, start_run, state_badge
from gpt_core import DEFAULT_TEXT, PRESETS, load_text

TRAIN_PAGE = "pages/train.py"

st.title("Watch a GPT learn")
st.markdown(
    "Train a small GPT in your browser, on a text you can read, and see it go from noise to "
    "sentences: every loss, every sample, as it happens."
)

live = get_runner().live_runs()
if live:
    if st.button("Watch the run that is training", type="primary"):
        st.switch_page(TRAIN_PAGE, query_params={state.RUN: live[0].id})
elif st.button("Train a small GPT now", type="primary"):
    run_id = start_run(PRESETS["pocket"], load_text(DEFAULT_TEXT))
    if run_id:
        st.switch_page(TRAIN_PAGE, query_params={state.RUN: run_id})
st.caption("About a minute on a laptop. The text is a short story that comes with the app.")

st.divider()
cards = (
    (
        "Two curves",
        "The **training loss** says how badly the model predicts the text it learns from; the "
        "**validation loss**, a part of the text it never sees. Where they part, it memorises.",
    ),
    (
        "A sample after each epoch",
        "The model is asked to go on from *Every effort moves you*. First commas, then words, "
        "then whole phrases of the story.",
    ),
    (
        "The chapter's numbers",
        "The preset **book-124m** repeats the run of the chapter “Pretraining on unlabeled "
        "data”: on a PC's CPU it prints the book's losses digit for digit.",
    ),
)
for column, (title, text) in zip(st.columns(3, gap="large"), cards, strict=True):
    with column:
        st.subheader(title)
        st.markdown(text)

latest = get_store().latest_run()
if latest:
    st.divider()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"Latest run: {run_title(latest)}")
        state_badge(latest)
        st.page_link(TRAIN_PAGE, label="Open", query_params={state.RUN: latest.id})

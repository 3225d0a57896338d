"""Data: the text to train on, what a model will see of it, and what training on it takes."""

import streamlit as st

from dashboard import corpus_view, text_choice
from dashboard.people import hidden_controls
from dashboard.refusals import show_refusal
from dashboard.widgets import page_title, show_code
from gpt_core.access import TEXTS
from gpt_core.text import check_splits, create_dataloader, split_text

page_title(
    "Data",
    "Train on any book you like. See first what the model will see: tokens, "
    "windows, batches, and a part that is kept from it.",
)

with st.container(border=True):
    corpus = text_choice.choose_corpus()
    if TEXTS not in hidden_controls():
        with st.expander("Add a text of your own"):
            text_choice.add_texts()
    text_choice.manage_kept()

if corpus:
    st.header("What the model will see")
    with st.container(border=True):
        preset = corpus_view.choose_settings(corpus)
    if preset is None:
        st.stop()
    try:
        train_ids, val_ids = corpus_view.encode(corpus, preset.training)
    except ValueError as error:
        show_refusal(error)
        st.stop()
    corpus_view.show_survey(corpus_view.survey_of(corpus, train_ids, val_ids))

    st.header("Training and validation")
    corpus_view.show_split(corpus, preset, len(train_ids), len(val_ids))
    show_code(split_text)

    st.header("Windows and batches")
    train, val = corpus_view.layouts(preset, len(train_ids), len(val_ids))
    sizes = (preset.training.batch_size, preset.training.train_ratio, preset.training.stride)
    try:
        check_splits(len(train_ids), len(val_ids), preset.model.context_length, *sizes)
    except ValueError as error:
        show_refusal(error)
        corpus_view.offer_mends(preset, len(train_ids), len(val_ids))
    else:
        corpus_view.show_windows(preset, train, val)
        corpus_view.show_batch(preset, train_ids)
        show_code(create_dataloader)
        st.header("Before you start")
        corpus_view.show_preflight(corpus, preset, len(train_ids))

"""Data: the text to train on, what a model will see of it, and what training on it takes."""

import streamlit as st

from dashboard.app import hidden_controls, show_refusal
from dashboard.data import (
    batch_counts,
    choose_settings,
    encode,
    offer_fixes,
    show_batch,
    show_grammar,
    show_preflight,
    show_split,
    show_statistics,
    show_windows,
    statistics_of,
)
from dashboard.forms import text, vocabulary
from dashboard.ui import page_title, show_code
from gpt_core.access import TEXTS
from gpt_core.text import check_splits, create_dataloader, split_text

page_title(
    "Data",
    "Train on any book you like. First look at what the model will see, tokens, windows and "
    "batches, and at the part that it will never learn from.",
)

with st.container(border=True):
    corpus = text.choose_corpus()
    if TEXTS not in hidden_controls():
        with st.expander("Use your own text"):
            text.add_texts()
    else:
        st.caption("In this lesson everyone trains on one of these texts.")
    text.manage_library()

if corpus:
    st.header("What the model will see")
    with st.container(border=True):
        preset = choose_settings(corpus)
    if preset is None:
        st.stop()
    try:
        preset, tokenizer = fitted = vocabulary.fit_preset(corpus, preset)
        train_ids, val_ids = encode(corpus, preset.training, tokenizer)
    except ValueError as error:
        show_refusal(error)
        st.stop()
    vocabulary.show_notes(corpus, fitted)
    show_statistics(statistics_of(corpus, train_ids, val_ids, tokenizer), tokenizer)

    st.header("Training and validation")
    show_split(corpus, preset, len(train_ids), len(val_ids))
    show_code(split_text)
    show_grammar(corpus)

    st.header("Windows and batches")
    train, val = batch_counts(preset, len(train_ids), len(val_ids))
    sizes = (preset.training.batch_size, preset.training.train_ratio, preset.training.stride)
    try:
        check_splits(len(train_ids), len(val_ids), preset.model.context_length, *sizes)
    except ValueError as error:
        show_refusal(error)
        offer_fixes(preset, len(train_ids), len(val_ids))
    else:
        show_windows(preset, train, val)
        show_batch(preset, train_ids, tokenizer)
        show_code(create_dataloader)
        st.header("Before you start")
        show_preflight(corpus, fitted, len(train_ids), len(val_ids))

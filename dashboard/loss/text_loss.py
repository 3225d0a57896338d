"""A model's loss on a whole text: on its training part and on its validation part."""

import streamlit as st
import torch

from dashboard.app import get_store, session_keys, show_refusal
from dashboard.forms import ChosenModel, choose_corpus
from dashboard.ui import show_code, show_table
from gpt_core.config import TrainingConfig
from gpt_core.model import calc_loss_loader, perplexity
from gpt_core.text import Corpus, create_dataloader, fitting_context_length, token_cache_in
from gpt_core.training import encode_splits
from gpt_core.vocabularies import read_vocabulary

MAX_WINDOW = 256  # the chapter's
MAX_BATCHES = 10  # of each part; The Verdict has nine and one


def show(chosen: ChosenModel | None) -> None:
    """Let the user measure the chosen model on a text; list all measurements in a table."""
    with st.container(border=True):
        corpus = choose_corpus()
        if corpus and chosen and st.button("Measure its loss"):
            try:
                with st.spinner("Measuring the loss…"):
                    row = _measure(chosen, corpus)
            except ValueError as error:
                show_refusal(error)
            else:
                rows = st.session_state.setdefault(session_keys.TEXT_LOSS, [])
                rows[:] = [row, *(old for old in rows if old != row)]
    if rows := st.session_state.get(session_keys.TEXT_LOSS):
        show_table(rows, losses=("First nine tenths", "Last tenth"))
        st.button("Clear the table", on_click=rows.clear)
    st.caption(
        f"Up to {MAX_BATCHES} batches each of the first nine tenths and of the last tenth of the "
        f"text, in windows of {MAX_WINDOW} tokens, or fewer if the model's context or the text is "
        "short. A low loss on text that the model was trained on shows that it fits that text, "
        "not that it predicts other text."
    )
    show_code(calc_loss_loader)


def _measure(chosen: ChosenModel, corpus: Corpus) -> dict[str, str | int | float]:
    """Return a row of the table.

    Raises:
        ValueError: the text is too short for a window in each part.
    """
    config = TrainingConfig()
    cache = token_cache_in(get_store().runs_dir)
    train_ids, val_ids = encode_splits(
        corpus.text, read_vocabulary(chosen.model.vocabulary), config, cache
    )
    fitting = fitting_context_length(len(train_ids), len(val_ids), config.batch_size)
    length = min(MAX_WINDOW, chosen.model.config.context_length, fitting)
    losses = []
    for token_ids in (train_ids, val_ids):
        loader = create_dataloader(
            token_ids,
            config.batch_size,
            length,
            shuffle=False,
            drop_last=False,
            generator=torch.Generator(),  # a page leaves the global one alone
        )
        with torch.no_grad():
            losses.append(calc_loss_loader(loader, chosen.model, "cpu", MAX_BATCHES))
    return {
        "Model": chosen.name,
        "Text": corpus.name,
        "Tokens in a window": length,
        "First nine tenths": round(losses[0], 6),
        "Last tenth": round(losses[1], 6),
        "Perplexity of the last tenth": f"{perplexity(losses[1]):,.1f}",
    }

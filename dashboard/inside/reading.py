"""One text, as one model reads it: what all parts of the page Inside look at."""

from dataclasses import dataclass

import streamlit as st
from torch import Tensor

from dashboard.app import session_keys, show_refusal
from dashboard.forms import ChosenModel
from gpt_core.model import GPTModel
from gpt_core.vocabularies import Tokenizer, read_vocabulary, text_to_token_ids

MAX_TOKENS = 128  # that a model reads at once here: the attention of more cannot be seen
DEFAULT = "The cat saw the dog. The dog saw the cat. The cat saw"


@dataclass(frozen=True)
class Reading:
    """A text and the model that reads it."""

    name: str  # the model's, in words
    model: GPTModel  # in eval mode
    ids: Tensor  # (1, T), T from 2 to MAX_TOKENS
    position: int  # the chosen token's, from 0 to T − 1

    @property
    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer of the model's vocabulary."""
        return read_vocabulary(self.model.vocabulary)


def choose_reading(chosen: ChosenModel) -> Reading | None:
    """Let the user enter a text and choose a token; None after saying what is missing."""
    text = st.text_area(
        "Text", DEFAULT, height=80, key=session_keys.INSIDE_TEXT, persist_state="session"
    )
    longest = min(MAX_TOKENS, chosen.model.config.context_length)
    try:
        ids = text_to_token_ids(text or "", read_vocabulary(chosen.model.vocabulary))  # (1, T)
    except ValueError as error:
        show_refusal(error)
        return None
    if ids.shape[1] < 2:
        st.text("Type at least two tokens: each is read as what comes before the next.")
        return None
    if ids.shape[1] > longest:
        st.text(f"The text has {ids.shape[1]:,} tokens. Only the first {longest} are read here.")
        ids = ids[:, :longest]
    last = ids.shape[1] - 1
    position = min(int(st.session_state.get(session_keys.INSIDE_TOKEN, last)), last)
    return Reading(chosen.name, chosen.model, ids, position)

"""One text, as one model reads it: what all parts of the page Inside look at."""

from dataclasses import dataclass

import streamlit as st
from torch import Tensor

from dashboard.app import get_visible_runs, session_keys, show_refusal
from dashboard.components.token_chips import readable, token_chips
from dashboard.forms import ChosenModel
from gpt_core.model import GPTModel
from gpt_core.vocabularies import (
    GPT2_VOCABULARY,
    Tokenizer,
    read_vocabulary,
    text_to_token_ids,
)

MAX_TOKENS = 128  # that a model reads at once here: the attention of more cannot be seen
MAX_CHARACTERS = 1000  # of a text, which is part of the address
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

    def token(self, token_id: int) -> str:
        """Return a token of the vocabulary as readable text, with visible blanks."""
        return readable(self.tokenizer.decode_single_token_bytes(token_id))

    def tokens(self) -> list[str]:
        """Return the text's tokens as readable text."""
        return [self.token(token_id) for token_id in self.ids[0].tolist()]


def choose_reading(chosen: ChosenModel) -> Reading | None:
    """Let the user enter a text and choose a token; None after saying what is missing."""
    _begin_with_a_text(chosen.model)
    text = st.text_area(
        "Text",
        height=80,
        max_chars=MAX_CHARACTERS,
        key=session_keys.INSIDE_TEXT,
        persist_state="session",
    )
    tokenizer = read_vocabulary(chosen.model.vocabulary)
    longest = min(MAX_TOKENS, chosen.model.config.context_length)
    try:
        ids = text_to_token_ids((text or "")[:MAX_CHARACTERS], tokenizer)  # (1, T)
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
    # At first the last token with a next one, which is then the target.
    position = min(st.session_state.get(session_keys.INSIDE_TOKEN, last - 1), last)
    token_chips(
        ids[0].tolist(),
        "The tokens of the text: choose the one to follow",
        key=session_keys.INSIDE_CHIPS,
        tokenizer=tokenizer,
        selected=position,
        on_select=choose_token,
    )
    return Reading(chosen.name, chosen.model, ids, position)


def _begin_with_a_text(model: GPTModel) -> None:
    """Let the text be one that suits the model, until the user enters another."""
    state = st.session_state
    suits, run = DEFAULT, get_visible_runs().run(state[session_keys.WALK_MODEL])
    if run is not None and model.vocabulary != GPT2_VOCABULARY:
        suits = [DEFAULT, *run.training_config.probes][-1]  # the app adds a line of the run's text
    if state.get(session_keys.INSIDE_TEXT) in (None, state.get(session_keys.INSIDE_BEGAN)):
        state[session_keys.INSIDE_TEXT] = suits
    state[session_keys.INSIDE_BEGAN] = suits


def choose_token(position: int) -> None:
    """Follow another token of the text from now on."""
    st.session_state[session_keys.INSIDE_TOKEN] = position

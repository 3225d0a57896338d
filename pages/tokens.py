"""Tokens: from a text to the numbers that a model reads, and from there to its tasks."""

import streamlit as st

from dashboard.tokens import (
    enter_text,
    show_ids_to_text,
    show_merges,
    show_own_vocabulary,
    show_tokens,
    show_toy,
    show_window,
)
from dashboard.ui import page_title, show_code
from gpt_core.text import TokenWindows
from gpt_core.vocabularies import (
    byte_pair_merges,
    count_pairs,
    learn_byte_pairs,
    merge_pair,
    text_to_token_ids,
    token_ids_to_text,
)

page_title(
    "Tokens",
    "A model reads numbers. First with seven words, then with GPT-2's 50,257 "
    "tokens and your own text.",
)

st.header("Seven words")
show_toy()

st.header("Your text in GPT-2's tokens")
text, token_ids, allow_special = enter_text()
show_tokens(text, token_ids)
show_code(text_to_token_ids)

st.header("How a word becomes tokens: its merges")
show_merges(text, allow_special)
show_code(byte_pair_merges)

st.header("A vocabulary being learnt")
show_own_vocabulary(text)
show_code(learn_byte_pairs, count_pairs, merge_pair)

st.header("Inputs and targets")
show_window(token_ids)
show_code(TokenWindows)

st.header("From IDs back to text")
st.markdown(
    "The fourteen IDs entered here at first are the chapter's: its prompt, and how the untrained "
    "model continued it."
)
show_ids_to_text()
show_code(token_ids_to_text)

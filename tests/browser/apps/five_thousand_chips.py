"""An app for a test: five thousand chips of a text that wants to be markup."""

import streamlit as st

from dashboard.components.token_chips import Scale, token_chips
from gpt_core.vocabularies import get_tokenizer

TEXT = "<img src=x onerror=\"document.title='hacked'\"> **bold** — every effort moves you नमस्ते\n"
ids = get_tokenizer().encode(TEXT * 200)[:5000]
selected = token_chips(
    ids,
    label="A long text",
    key="chips",
    second_line=[str(i) for i in range(len(ids))],
    strengths=[i / len(ids) for i in range(len(ids))],
    scale=Scale("first", "last"),
)
st.text(f"selected: {selected}")

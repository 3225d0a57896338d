"""How a word's bytes are merged to its tokens, one by one."""

import streamlit as st

from dashboard.app import session_keys
from dashboard.charts import count
from dashboard.components.token_chips import Row, readable, token_chips
from dashboard.tokens.text_and_ids import MAX_WORD_LENGTH
from gpt_core.vocabularies import (
    END_OF_TEXT,
    byte_ids,
    byte_pair_merges,
    get_tokenizer,
    split_words,
)


def show_merges(text: str, allow_special: bool) -> None:
    """Let the user choose a word of the text and show its merges, one row each."""
    tokenizer = get_tokenizer()
    # No merge makes the special token, and none reaches across it.
    parts = text.split(END_OF_TEXT) if allow_special else [text]
    pieces = dict.fromkeys(word for part in parts for word in split_words(part))
    words = [word for word in pieces if len(word.encode()) > 1]
    shown = [word for word in words if len(word.encode()) <= MAX_WORD_LENGTH][:500]
    if not shown:
        st.text(f"Enter a word of 2 to {MAX_WORD_LENGTH} bytes above: its merges appear here.")
        return
    word = st.selectbox(
        "Word",
        shown,
        index=max(range(len(shown)), key=lambda i: len(byte_pair_merges(shown[i], tokenizer))),
        format_func=lambda word: readable(word.encode()),
        key=session_keys.WORD,
        persist_state="session",
    )
    if word not in shown:
        word = shown[0]
    ids = list(byte_ids(word, tokenizer))
    rows, marks = [Row(0, count(len(ids), "byte"))], [""] * len(ids)
    merges = byte_pair_merges(word, tokenizer)
    for merge in merges:
        rows.append(Row(len(ids), f"merge {merge.number:,}"))
        ids += merge.token_ids
        marks += ["new" if i == merge.position else "" for i in range(len(merge.token_ids))]
    token_chips(
        ids, label=f"The merges of “{word}”, row by row", key="merges", rows=rows, marks=marks
    )
    left = len(merges[-1].token_ids) if merges else len(byte_ids(word, tokenizer))
    st.caption(
        f"{count(len(merges), 'merge')}, {count(left, 'token')}. GPT-2's vocabulary is the "
        "256 single bytes, 50,000 merges in the order in which they were learnt (each time the "
        "pair of neighbours that was then most frequent), and one special token. In a word, the "
        "earliest merge that fits is made first; the new token is framed."
    )

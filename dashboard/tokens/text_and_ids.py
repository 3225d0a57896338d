"""A text's tokens, and IDs back to text."""

import math
import re

import streamlit as st
from torch import Tensor, tensor

from dashboard.app import session_keys, show_refusal
from dashboard.components.token_chips import Scale, token_chips
from dashboard.ui import show_numbers
from gpt_core.system import printable
from gpt_core.vocabularies import (
    get_tokenizer,
    text_to_token_ids,
    token_ids_to_text,
)

MAX_CHARACTERS = 10_000  # of a text that is shown token by token
MAX_WORD_LENGTH = 32  # bytes of a word whose merges are shown one by one
MAX_WINDOW = 12
MAX_CHIPS = 4000  # tokens drawn; an emoji or a rare script takes several per character
MAX_IDS = 1000
END_OF_TEXT_ID = 50256
FREQUENCY = Scale("learnt late", "learnt early, or a single byte")


def enter_text() -> tuple[str, Tensor, bool]:
    """Let the user enter a text; return it, its token IDs (N,), and the toggle's state."""
    text = st.text_area(
        "Your text",
        "Every effort moves you",
        height=110,
        key=session_keys.TOKENS_TEXT,
        persist_state="session",
    )
    allow_special = st.toggle(
        "Read <|endoftext|> as the special token",
        value=True,
        key=session_keys.ALLOW_SPECIAL,
        persist_state="session",
        help="GPT-2's mark between two texts, ID 50256. Off: thirteen characters like any others.",
    )
    text = text or ""
    if len(text) > MAX_CHARACTERS:
        st.text(
            f"The text has {len(text):,} characters. Only the first {MAX_CHARACTERS:,} are shown "
            f"and counted; a whole book belongs on the Data page."
        )
        text = text[:MAX_CHARACTERS]
    return text, text_to_token_ids(text, get_tokenizer(), allow_special)[0], allow_special


def show_tokens(text: str, token_ids: Tensor) -> None:
    """Show a text's tokens as chips, and how many characters, bytes and words they are."""
    if not len(token_ids):
        st.text("Type something: its tokens appear here.")
        return
    words = len(text.split())
    show_numbers(
        {
            "Characters": f"{len(text):,}",
            "Bytes (UTF-8)": f"{len(text.encode()):,}",
            "Tokens": f"{len(token_ids):,}",
            "Tokens per word": f"{len(token_ids) / words:.2f}" if words else "–",
        }
    )
    if len(token_ids) > MAX_CHIPS:
        st.text(f"Only the first {MAX_CHIPS:,} tokens are drawn.")
    ids = token_ids[:MAX_CHIPS].tolist()
    token_chips(
        ids,
        label="The tokens of your text",
        key="text-tokens",
        strengths=[1 - math.log(token_id + 1) / math.log(50257) for token_id in ids],
        scale=FREQUENCY,
        marks=["special" if token_id == END_OF_TEXT_ID else "" for token_id in ids],
    )
    st.caption(
        "Point at a token, or move with the arrow keys, to see its bytes and which of the 50,000 "
        "merges made it. A dot is a space: most words include the one before them."
    )


def show_ids_to_text() -> None:
    """Let the user enter IDs and show the text that they spell."""
    entered = st.text_input(
        "Token IDs",
        "6109 3626 6100 345 34245 5139 2492 25405 17434 17853 5308 3398 13174 43071",
        key=session_keys.IDS_TEXT,
        persist_state="session",
        help="Whole numbers from 0 to 50256, separated by spaces or commas.",
    )
    try:
        ids = parse_ids(entered or "")
        text = token_ids_to_text(tensor(ids), get_tokenizer())
    except ValueError as error:
        show_refusal(error)
        return
    if ids:
        token_chips(ids, label="The tokens of these IDs", key="id-tokens")
    st.code(text, language=None, wrap_lines=True)


def parse_ids(entered: str) -> list[int]:
    """Return the token IDs in a line such as ``6109, 3626`` or ``[6109 3626]``.

    Raises:
        ValueError: a word is not a whole number, or there are too many.
    """
    words = re.split(r"[\s,;\[\]()]+", entered)
    words = [word for word in words if word]
    if len(words) > MAX_IDS:
        raise ValueError(f"{len(words):,} IDs are more than the {MAX_IDS:,} that are shown here.")
    for word in words:
        if not re.fullmatch(r"-?\d{1,18}", word, re.ASCII):
            raise ValueError(
                f"“{printable(word[:40])}” is not a token ID: enter whole numbers from 0 to 50256, "
                "separated by spaces or commas."
            )
    return [int(word) for word in words]

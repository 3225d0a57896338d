"""Rows of text, entered by the user, whose next tokens a model predicts."""

import streamlit as st
from torch import Tensor

from dashboard.app import session_keys, show_refusal
from dashboard.charts import count
from gpt_core.vocabularies import get_tokenizer, text_to_token_ids

DEFAULT_ROWS = "every effort moves you\nI really like chocolate"
MAX_ROWS = 8
MAX_ROW_CHARACTERS = 10_000  # more than any 17 tokens have
MAX_TASKS = 16  # per row


def enter_rows() -> list[Tensor] | None:
    """Let the user enter rows of text; return the IDs (T + 1,) of each, or None after a refusal."""
    entered = st.text_area(
        "Rows, one per line",
        DEFAULT_ROWS,
        height=110,
        key=session_keys.WALK_ROWS,
        persist_state="session",
        help=f"1 to {MAX_ROWS} rows of 2 to {MAX_TASKS + 1} tokens: the last token of a row is "
        "only predicted.",
    )
    try:
        return parse_rows(entered or "")
    except ValueError as error:
        show_refusal(error)
        return None


def parse_rows(
    entered: str, most_tasks: int = MAX_TASKS, most_rows: int = MAX_ROWS
) -> list[Tensor]:
    """Return the token IDs of each line that is not empty, (T + 1,) each.

    Raises:
        ValueError: there is no row, or too many, or one is too short or too long.
    """
    lines = [line for line in entered.splitlines() if line.strip()]
    if not lines:
        raise ValueError("There is no row: enter a few words, such as “every effort moves you”.")
    if len(lines) > most_rows:
        raise ValueError(f"{len(lines):,} rows are too many: keep up to {most_rows}, one per line.")
    rows = []
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_ROW_CHARACTERS:
            raise ValueError(
                f"Row {number} has {len(line):,} characters: give it 2 to {most_tasks + 1} tokens, "
                "which is a few words. Train on a whole text, or see its tokens on the Tokens "
                "page."
            )
        ids = text_to_token_ids(line, get_tokenizer())[0]  # (T + 1,)
        if not 2 <= len(ids) <= most_tasks + 1:
            raise ValueError(
                f"Row {number} has {count(len(ids), 'token')}: give it 2 to "
                f"{most_tasks + 1}. The last one is only predicted; the Tokens page shows the "
                "tokens of a text."
            )
        rows.append(ids)
    return rows

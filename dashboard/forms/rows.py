"""Rows of text, entered by the user, whose next tokens a model predicts."""

import streamlit as st
from torch import Tensor

from dashboard.app import session_keys, show_refusal
from dashboard.charts import count
from gpt_core.vocabularies import Tokenizer, describe_unknown, get_tokenizer, text_to_token_ids

DEFAULT_ROWS = "every effort moves you\nI really like chocolate"
MAX_ROWS = 8
MAX_ROW_CHARACTERS = 10_000  # more than any 17 tokens have
MAX_TASKS = 16  # per row …
MAX_FINE_TASKS = 32  # … and of a vocabulary of characters or bytes


def enter_rows(context_length: int, tokenizer: Tokenizer) -> dict[int, Tensor]:
    """Let the user enter rows of text; return the token IDs (T + 1,) of each, by its number.

    A row that cannot be used is left out, and said why below the field.
    """
    is_fine = tokenizer.name in ("characters", "bytes")
    most_tasks = min(context_length, MAX_FINE_TASKS if is_fine else MAX_TASKS)
    entered = st.text_area(
        "Rows, one per line",
        DEFAULT_ROWS,
        height=110,
        key=session_keys.WALK_ROWS,
        persist_state="session",
        help=f"1 to {MAX_ROWS} rows of 2 to {most_tasks + 1} tokens: the last token of a row is "
        "only predicted.",
    )
    rows = {}
    try:
        lines = split_rows(entered or "", MAX_ROWS)
    except ValueError as error:
        show_refusal(error)
        return {}
    for number, line in enumerate(lines, start=1):
        try:
            rows[number] = parse_row(line, number, most_tasks, tokenizer)
        except ValueError as error:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.badge(f"Row {number} left out", color="red")
                st.text(str(error))
    if note := describe_unknown("".join(lines), tokenizer, "A row"):
        st.text(note)
    return rows


def parse_rows(
    entered: str, most_tasks: int = MAX_TASKS, most_rows: int = MAX_ROWS
) -> list[Tensor]:
    """Return GPT-2's token IDs of each line that is not empty, (T + 1,) each.

    Raises:
        ValueError: there is no row, or too many, or one is too short or too long.
    """
    lines = split_rows(entered, most_rows)
    tokenizer = get_tokenizer()
    return [
        parse_row(line, number, most_tasks, tokenizer) for number, line in enumerate(lines, start=1)
    ]


def split_rows(entered: str, most_rows: int) -> list[str]:
    """Return the lines that are not empty.

    Raises:
        ValueError: there is none, or too many.
    """
    lines = [line for line in entered.splitlines() if line.strip()]
    if not lines:
        raise ValueError("There is no row: enter a few words, such as “every effort moves you”.")
    if len(lines) > most_rows:
        raise ValueError(f"{len(lines):,} rows are too many: keep up to {most_rows}, one per line.")
    return lines


def parse_row(line: str, number: int, most_tasks: int, tokenizer: Tokenizer) -> Tensor:
    """Return the token IDs of a row, (T + 1,).

    Raises:
        ValueError: it is too short or too long; the message names its number.
    """
    if len(line) > MAX_ROW_CHARACTERS:
        raise ValueError(
            f"Row {number} has {len(line):,} characters: give it 2 to {most_tasks + 1} tokens, "
            "which is a few words. Train on a whole text, or see its tokens on the Tokens page."
        )
    ids = text_to_token_ids(line, tokenizer)[0]  # (T + 1,)
    if not 2 <= len(ids) <= most_tasks + 1:
        raise ValueError(
            f"Row {number} has {count(len(ids), 'token')}: give it 2 to {most_tasks + 1}. The last "
            "one is only predicted; the Tokens page shows the tokens of a text."
        )
    return ids

"""The tokens of a text as chips that one can touch: each with its ID, and what is known of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.charts import palette
from gpt_core.vocabularies import get_tokenizer

HERE = Path(__file__).parent

_component = st.components.v2.component(
    "token_chips",
    html='<div class="token-chips"></div>',
    css=(HERE / "token_chips.css").read_text(),
    js=(HERE / "token_chips.js").read_text(),
    isolate_styles=False,
)


@dataclass(frozen=True)
class Scale:
    """What the chips' colour means: the words at its two ends, and the colour at the strong one."""

    low: str
    high: str
    color: str = palette.TARGET
    has_legend: bool = True  # of several rows of chips, one legend is enough


@dataclass(frozen=True)
class Row:
    """Where a new row of chips begins, and what stands before it."""

    start: int  # position of its first chip
    heading: str


def token_chips(
    token_ids: Sequence[int],
    label: str,
    key: str,
    second_line: Sequence[str] = (),
    details: Sequence[str] = (),
    strengths: Sequence[float] = (),
    scale: Scale | None = None,
    rows: Sequence[Row] = (),
    marks: Sequence[str] = (),
) -> int | None:
    """Show tokens as chips; return the position of the one that the user selected, or None.

    Args:
        token_ids: what is shown, in the order of the text.
        label: what a screen reader calls the row.
        key: identifies the chips on their page.
        second_line: a short text below each ID (a probability, a rank, a target).
        details: a sentence for each, shown beside its bytes while one points at it.
        strengths: how strongly each is coloured, 0 to 1.
        scale: the legend of those colours.
        rows: breaks the chips into rows with headings; the first begins at 0.
        marks: what is special about each, in a word ("target", "new"), or "".
    """
    data = chips_data(token_ids, label, second_line, details, strengths, scale, rows, marks)
    # A page that is mounted anew starts from what Python still holds to be selected.
    data["selected"] = st.session_state.get(key, {}).get("selected")
    result = _component(data=data, key=key, on_selected_change=_nothing)
    selected = result.selected
    return selected if isinstance(selected, int) and selected < len(token_ids) else None


def chips_data(
    token_ids: Sequence[int],
    label: str,
    second_line: Sequence[str] = (),
    details: Sequence[str] = (),
    strengths: Sequence[float] = (),
    scale: Scale | None = None,
    rows: Sequence[Row] = (),
    marks: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what the component draws, column by column: 5,000 tokens are 150 kB of JSON.

    Raises:
        ValueError: a column is not as long as the tokens, or an ID is outside the vocabulary.
    """
    columns = {
        "second_line": second_line,
        "details": details,
        "strengths": strengths,
        "marks": marks,
    }
    for name, column in columns.items():
        if column and len(column) != len(token_ids):
            raise ValueError(f"{name} has {len(column)} entries for {len(token_ids)} tokens.")
    raw = [_bytes_of(token_id) for token_id in token_ids]
    return {
        "label": label,
        "ids": list(token_ids),
        "texts": [readable(token) for token in raw],
        "bytes": [token.hex(" ").upper() for token in raw],
        **{name: list(column) for name, column in columns.items()},
        "scale": None if scale is None else vars(scale),
        "rows": [vars(row) for row in rows],
        "colors": {"target": palette.TARGET, "predicted": palette.PREDICTED},
    }


def readable(token: bytes) -> str:
    """Return a token as people can read it: its text with visible blanks, or else its bytes."""
    try:
        text = token.decode()
    except UnicodeDecodeError:  # a part of a character
        return "".join(f"⟨{byte:02X}⟩" for byte in token)
    for blank, sign in ((" ", "·"), ("\n", "↵"), ("\t", "⇥"), ("\r", "␍")):
        text = text.replace(blank, sign)
    return "".join(c if c.isprintable() else f"⟨U+{ord(c):04X}⟩" for c in text)


def _bytes_of(token_id: int) -> bytes:
    tokenizer = get_tokenizer()
    if not 0 <= token_id < tokenizer.n_vocab:
        raise ValueError(
            f"Token ID {token_id} does not exist: IDs go from 0 to {tokenizer.n_vocab - 1}."
        )
    return tokenizer.decode_single_token_bytes(token_id)


def _nothing() -> None:
    """Do nothing: the callback is what makes Streamlit keep the selection."""

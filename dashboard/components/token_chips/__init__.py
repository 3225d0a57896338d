"""The tokens of a text as selectable chips, each with its ID and further details."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.charts import PROBABILITY_STEPS, palette
from dashboard.components.registration import register
from gpt_core.vocabularies import SINGLE_BYTES, Tokenizer, get_tokenizer

_component = register("token_chips", '<div class="token-chips"></div>')


@dataclass(frozen=True)
class Scale:
    """The legend of the chips' colour: the words at its two ends, and the full colour.

    If the colour has a few strengths only, ``steps`` are the numbers at which it changes.
    """

    low: str
    high: str
    color: str = palette.TARGET
    has_legend: bool = True  # one legend is enough for several rows of chips
    steps: tuple[float, ...] = ()


PROBABILITIES = Scale("p from 0", "to 1", steps=PROBABILITY_STEPS)


@dataclass(frozen=True)
class Row:
    """The first chip of a new row, and the row's heading."""

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
    tokenizer: Tokenizer | None = None,
    selected: int | None = None,
    on_select: Callable[[int], object] | None = None,
) -> int | None:
    """Show tokens as chips; return the position of the selected one, or None.

    Args:
        token_ids: the tokens, in the order of the text, (T,).
        label: the list's name for screen readers.
        key: identifies the chips on their page.
        second_line: a short text below each ID (a probability, a rank, a target).
        details: a phrase for each, shown beside its bytes on hover and focus.
        strengths: the strength of each chip's colour, 0 to 1.
        scale: the legend of the colour.
        rows: divides the chips into rows with headings; the first starts at 0.
        marks: a word that marks a chip ("target", "new"), or "", for each.
        tokenizer: of the vocabulary that the IDs belong to; None is GPT-2's.
        selected: the position that is selected, if the page keeps it and not the chips.
        on_select: is called then with the position that the user selects, before the page is drawn.

    Raises:
        ValueError: a column is not as long as the tokens, or an ID is outside the vocabulary.
    """

    def report() -> None:
        picked = st.session_state.get(key, {}).get("picked")
        if on_select is not None and isinstance(picked, int) and 0 <= picked < len(token_ids):
            on_select(picked)

    data = chips_data(
        token_ids, label, second_line, details, strengths, scale, rows, marks, tokenizer
    )
    # A newly mounted page starts from the selection that Python still has.
    data["is_kept"] = selected is not None
    if selected is None:
        selected = st.session_state.get(key, {}).get("selected")
    data["selected"] = selected
    result = _component(data=data, key=key, on_selected_change=_nothing, on_picked_change=report)
    found = result.selected
    return found if isinstance(found, int) and found < len(token_ids) else None


def _nothing() -> None:
    """Do nothing: the callback is what makes Streamlit keep the selection."""


def chips_data(
    token_ids: Sequence[int],
    label: str,
    second_line: Sequence[str] = (),
    details: Sequence[str] = (),
    strengths: Sequence[float] = (),
    scale: Scale | None = None,
    rows: Sequence[Row] = (),
    marks: Sequence[str] = (),
    tokenizer: Tokenizer | None = None,
) -> dict[str, Any]:
    """Return the component's data, column by column: 5,000 tokens are 150 kB of JSON.

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
    tokenizer = tokenizer or get_tokenizer()
    raw = [_bytes_of(token_id, tokenizer) for token_id in token_ids]
    merges = 0 if tokenizer.name == "characters" else tokenizer.n_vocab - SINGLE_BYTES - 1
    return {
        "label": label,
        "ids": list(token_ids),
        "end_of_text": tokenizer.eot_token,
        "merges": merges,
        "is_by_character": tokenizer.name == "characters",
        "texts": [readable(token) for token in raw],
        "bytes": [token.hex(" ").upper() for token in raw],
        **{name: list(column) for name, column in columns.items()},
        "scale": None if scale is None else vars(scale),
        "rows": [vars(row) for row in rows],
        "colors": {"target": palette.TARGET, "predicted": palette.PREDICTED},
    }


def readable(token: bytes) -> str:
    """Return a token's text with visible blanks, or its bytes if they are not valid UTF-8."""
    try:
        text = token.decode()
    except UnicodeDecodeError:  # part of a character
        return "".join(f"⟨{byte:02X}⟩" for byte in token)
    for blank, sign in ((" ", "·"), ("\n", "↵"), ("\t", "⇥"), ("\r", "␍")):
        text = text.replace(blank, sign)
    return "".join(c if c.isprintable() else f"⟨U+{ord(c):04X}⟩" for c in text)


def readable_tokens(token_ids: Sequence[int], tokenizer: Tokenizer) -> list[str]:
    """Return the readable text of each token.

    Raises:
        ValueError: an ID is outside the vocabulary.
    """
    return [readable(_bytes_of(token_id, tokenizer)) for token_id in token_ids]


def readable_text(token_ids: Sequence[int], tokenizer: Tokenizer) -> str:
    """Return the text of tokens, with the bytes that do not form a character as on chips."""
    raw = b"".join(map(tokenizer.decode_single_token_bytes, token_ids))
    # "surrogateescape" turns such a byte into half of a surrogate pair, U+DC00 + byte.
    text = raw.decode(errors="surrogateescape")
    return re.sub("[\udc80-\udcff]", lambda found: f"⟨{ord(found[0]) - 0xDC00:02X}⟩", text)


def _bytes_of(token_id: int, tokenizer: Tokenizer) -> bytes:
    if not 0 <= token_id < tokenizer.n_vocab:
        raise ValueError(
            f"Token ID {token_id} does not exist: IDs go from 0 to {tokenizer.n_vocab - 1}."
        )
    return tokenizer.decode_single_token_bytes(token_id)

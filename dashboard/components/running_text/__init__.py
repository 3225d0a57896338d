"""A whole text as it is read, each token coloured by a number; and single tokens in their context.

For what is read as a text. Tokens with their IDs, one by one, are ``token_chips``.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.components.registration import register
from dashboard.components.token_chips import readable
from gpt_core.vocabularies import Tokenizer

BLANKS = re.compile(r"\s+")
EMPTY_LINE = re.compile(r"↵\n(?=↵)")
SNIPPET_TOKENS = 12  # on either side of the token that a snippet shows

_component = register("running_text", '<div class="running-text"></div>')


@dataclass(frozen=True)
class Colors:
    """What the colours of a text stand for: its legend, with words at the two ends.

    A strength above 0 has the colour ``high``, one below 0 the colour ``low`` and a line below the
    token, so that the two can be told apart without seeing colours.
    """

    high: str  # CSS colour of the strength 1
    high_words: str
    low: str = "transparent"  # CSS colour of the strength −1
    low_words: str = ""


def running_text(
    token_ids: Sequence[int],
    strengths: Sequence[float],
    details: Sequence[str],
    colors: Colors,
    label: str,
    key: str,
    tokenizer: Tokenizer,
    on_picked: Callable[[int], None],
) -> None:
    """Show tokens as running text.

    Args:
        token_ids: the tokens, in the order of the text, (T,).
        strengths: the strength of each token's colour, −1 to 1.
        details: a phrase for each, shown below the text on hover and focus, and read aloud.
        colors: what they stand for.
        label: the text's name for screen readers.
        key: identifies the text on its page.
        tokenizer: of the vocabulary that the IDs belong to.
        on_picked: called with the position of a token that was clicked, before the page is drawn.

    Raises:
        ValueError: a column is not as long as the tokens.
    """
    data = text_data(token_ids, strengths, details, colors, label, tokenizer)
    _mount(data, key, len(token_ids), on_picked)


def text_snippets(
    token_ids: Sequence[int],
    positions: Sequence[int],
    strengths: Sequence[float],
    notes: Sequence[str],
    colors: Colors,
    label: str,
    key: str,
    tokenizer: Tokenizer,
    on_picked: Callable[[int], None],
) -> None:
    """Show single tokens of a text as a list, each between the tokens around it.

    Args:
        token_ids: the text, (T,).
        positions: of the tokens that are shown, in the order of the list, (N,).
        strengths: of their colours, −1 to 1, (N,).
        notes: a short text before each, (N,).
        colors: what the colours stand for.
        label: the list's name for screen readers.
        key: identifies the list on its page.
        tokenizer: of the vocabulary that the IDs belong to.
        on_picked: called with the position of a token that was clicked, before the page is drawn.
    """
    data = snippets_data(token_ids, positions, strengths, notes, colors, label, tokenizer)
    _mount(data, key, len(token_ids), on_picked)


def text_data(
    token_ids: Sequence[int],
    strengths: Sequence[float],
    details: Sequence[str],
    colors: Colors,
    label: str,
    tokenizer: Tokenizer,
) -> dict[str, Any]:
    """Return the data of a running text, column by column.

    Raises:
        ValueError: a column is not as long as the tokens.
    """
    for name, column in (("strengths", strengths), ("details", details)):
        if len(column) != len(token_ids):
            raise ValueError(f"{name} has {len(column)} entries for {len(token_ids)} tokens.")
    texts = [running(tokenizer.decode_single_token_bytes(i)) for i in token_ids]
    for i, following in enumerate(texts[1:]):
        if texts[i].endswith("↵\n") and following.startswith("↵"):
            texts[i] = texts[i].removesuffix("\n")
    return {
        "label": label,
        "texts": texts,
        "strengths": [round(strength, 3) for strength in strengths],
        "details": list(details),
        "colors": vars(colors),
    }


def snippets_data(
    token_ids: Sequence[int],
    positions: Sequence[int],
    strengths: Sequence[float],
    notes: Sequence[str],
    colors: Colors,
    label: str,
    tokenizer: Tokenizer,
) -> dict[str, Any]:
    """Return the data of a list of snippets."""

    def joined(start: int, stop: int) -> str:
        around = token_ids[max(0, start) : stop]
        raw = b"".join(tokenizer.decode_single_token_bytes(token_id) for token_id in around)
        text = raw.decode(errors="replace")  # a character may be cut in two at either end
        return BLANKS.sub(" ", running(text.encode()))

    snippets = [
        {
            "position": position,
            "before": joined(position - SNIPPET_TOKENS, position),
            "token": joined(position, position + 1),
            "after": joined(position + 1, position + 1 + SNIPPET_TOKENS),
            "note": note,
            "strength": round(strength, 3),
        }
        for position, strength, note in zip(positions, strengths, notes, strict=True)
    ]
    return {"label": label, "snippets": snippets, "colors": vars(colors)}


def running(token: bytes) -> str:
    """Return a token as it is in a text: with its blanks, and a sign for each line break.

    Empty lines take no room: only the last of several line breaks ends a line.
    """
    lines = [" ".join(map(readable, line.split(b" "))) for line in token.split(b"\n")]
    return EMPTY_LINE.sub("↵", "↵\n".join(lines))


def _mount(data: dict[str, Any], key: str, length: int, on_picked: Callable[[int], None]) -> None:
    def report() -> None:
        picked = st.session_state[key].get("picked")
        if isinstance(picked, int) and 0 <= picked < length:  # the browser may send anything
            on_picked(picked)

    _component(data=data, key=key, on_picked_change=report)

"""What a model wrote, time after time: a line of samples, with the words it copied marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from dashboard import palette

HERE = Path(__file__).parent

_component = st.components.v2.component(
    "timeline",
    html='<ol class="timeline"></ol>',
    css=(HERE / "timeline.css").read_text(),
    js=(HERE / "timeline.js").read_text(),
    isolate_styles=False,
)


@dataclass(frozen=True)
class Piece:
    """A part of a text: ``kind`` is "prompt", "copied" or "", what is the model's own."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Entry:
    """One text on the line."""

    heading: str  # when it was written
    note: str  # what is measured of it
    pieces: Sequence[Piece]


def timeline(entries: Sequence[Entry], label: str, key: str) -> None:
    """Show texts one below the other. They are text, whatever stands in them.

    Args:
        entries: the first stands on top.
        label: what a screen reader calls the list.
        key: identifies it on its page.
    """
    data = {
        "label": label,
        "color": palette.COPIED,
        "entries": [
            {
                "heading": entry.heading,
                "note": entry.note,
                "pieces": [[piece.text, piece.kind] for piece in entry.pieces],
            }
            for entry in entries
        ],
    }
    _component(data=data, key=key)

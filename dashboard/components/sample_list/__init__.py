"""A list of a model's samples, with the words copied from the training text marked."""

from collections.abc import Sequence

from dashboard.charts import palette
from dashboard.components.registration import register
from dashboard.components.sample_list.entries import (
    Entry,
    Piece,
    describe_copying,
    last_sample,
    marked,
    marked_answers,
    on_few_lines,
    sample_entries,
)

__all__ = [
    "Entry",
    "Piece",
    "describe_copying",
    "last_sample",
    "marked",
    "marked_answers",
    "on_few_lines",
    "sample_entries",
    "sample_list",
]

_component = register("sample_list", '<ol class="sample-list"></ol>')


def sample_list(entries: Sequence[Entry], label: str, key: str) -> None:
    """Show texts in a list; their content is never read as markup.

    Args:
        entries: the texts, the first on top.
        label: the list's name for screen readers.
        key: identifies the list on its page.
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

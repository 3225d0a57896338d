"""The page's headings with their anchors, and the table of contents that links to them."""

import re
from collections.abc import Sequence

import streamlit as st

OWN_ROWS = "A run's own rows while it trains"
CONTENTS = (
    "Inputs and targets",
    "1 · Logits",
    "2 · Probabilities",
    "What it would say: argmax",
    "3 · Target probabilities",
    "4 · Logarithms",
    "5 · Mean",
    "6 · Negative mean: the loss",
    "The same in one call",
    "Perplexity",
    "Every position",
    "Two classes, many classes: one cross-entropy",
    "Its loss on a whole text",
)


def show_contents(titles: Sequence[str]) -> None:
    """Link to the page's headings; on a wide screen the list stays in view (look.css)."""
    items = "".join(f'<li><a href="#{anchor(title)}">{title}</a></li>' for title in titles)
    st.html(f'<nav class="gpt-contents" aria-label="On this page"><ul>{items}</ul></nav>')


def heading(title: str) -> None:
    """Show a heading that the table of contents links to."""
    st.header(title, anchor=anchor(title))


def anchor(title: str) -> str:
    """Return the ID of a heading: its words, joined by hyphens."""
    return re.sub(r"\W+", "-", title).strip("-").lower()

"""The beginning of a page: title, glossary, lead; and its headings, with links to them."""

import re
from collections.abc import Iterable

import streamlit as st

from dashboard.ui.glossary import ON_PAGE, as_html
from dashboard.ui.glossary_terms import TERMS


def page_title(title: str, lead: str = "", page: str = "") -> None:
    """Begin a page with its title, its words from the glossary, and a sentence about it.

    Args:
        title: the heading of the page.
        lead: the sentence, inserted as HTML: never a user's text.
        page: the page's name in the navigation, if that differs from the title.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title(title)
        words = ON_PAGE.get(page or title, ())
        if words:
            with st.popover("Words on this page", type="tertiary", width="content"):
                st.html(as_html(TERMS[word] for word in words))
                st.page_link("pages/glossary.py", label="All words")
    if lead:
        st.html(f'<p class="gpt-lead">{lead}</p>')


def show_contents(titles: Iterable[str]) -> None:
    """Link to the page's headings; on a wide screen the list stays in view (look.css)."""
    items = "".join(f'<li><a href="#{anchor(title)}">{title}</a></li>' for title in titles)
    st.html(f'<nav class="gpt-contents" aria-label="On this page"><ul>{items}</ul></nav>')


def heading(title: str) -> None:
    """Show a heading that the table of contents links to."""
    st.header(title, anchor=anchor(title))


def anchor(title: str) -> str:
    """Return the ID of a heading: its words, joined by hyphens."""
    return re.sub(r"\W+", "-", title).strip("-").lower()

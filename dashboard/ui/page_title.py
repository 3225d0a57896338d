"""The beginning of a page: title, glossary, lead."""

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

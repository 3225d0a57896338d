"""How a page begins: its title, its words, its lead."""

import streamlit as st

from dashboard.ui import glossary


def page_title(title: str, lead: str = "", page: str = "") -> None:
    """Begin a page: its title, its words, and in a sentence what it is; all ours, never a user's.

    ``page`` is its name in the navigation, where that is another.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.title(title)
        words = glossary.ON_PAGE.get(page or title, ())
        if words:
            with st.popover("Words on this page", type="tertiary", width="content"):
                st.html(glossary.as_html(glossary.TERMS[word] for word in words))
                st.page_link("pages/glossary.py", label="All words")
    if lead:
        st.html(f'<p class="gpt-lead">{lead}</p>')

"""Glossary: each word of this app in one sentence."""

import streamlit as st

from dashboard.ui import GROUPS, as_html, page_title

page_title(
    "Glossary",
    "Each word of this app in one sentence, and the page that shows it. Every page has its own "
    "words beside its title.",
)
for group, terms in GROUPS.items():
    st.header(group)
    st.html(as_html(terms, with_links=True))

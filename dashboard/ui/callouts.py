"""Elements set apart from the text: numbers, formulas, common mistakes."""

from collections.abc import Mapping

import streamlit as st

NUMBER_WIDTH = 144  # pixels: four fit beside each other on a page of 1024


def show_numbers(numbers: Mapping[str, str], width: int = NUMBER_WIDTH) -> None:
    """Show labelled numbers side by side; on a phone, two per row."""
    with st.container(horizontal=True, gap="medium"):
        for label, number in numbers.items():
            st.metric(label, number, width=width)


def formula(latex: str, meaning: str) -> None:
    """Show a formula and, below it, the meaning of its symbols."""
    with st.container(border=True):
        st.latex(latex)
        st.caption(meaning)


def common_mistake(text: str) -> None:
    """Point out a mistake of circulating notes. The text is HTML, never a user's."""
    st.html(f'<p class="gpt-slip"><span>Elsewhere you may have read</span> {text}</p>')

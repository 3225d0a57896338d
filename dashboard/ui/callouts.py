"""What is set off from the text: numbers, formulas, common mistakes."""

from collections.abc import Mapping

import streamlit as st

NUMBER_WIDTH = 144  # pixels: four fit beside each other on a page of 1024


def show_numbers(numbers: Mapping[str, str], width: int = NUMBER_WIDTH) -> None:
    """Show numbers by what they are called, beside each other; on a phone two by two."""
    with st.container(horizontal=True, gap="medium"):
        for label, number in numbers.items():
            st.metric(label, number, width=width)


def formula(latex: str, meaning: str) -> None:
    """Show a formula and, below it, what its letters stand for."""
    with st.container(border=True):
        st.latex(latex)
        st.caption(meaning)


def common_mistake(text: str) -> None:
    """Point out what circulating notes get wrong. The text is ours, never a user's."""
    st.html(f'<p class="gpt-slip"><span>Elsewhere you may have read</span> {text}</p>')

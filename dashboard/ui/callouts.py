"""Elements set apart from the text: numbers, tables, formulas, common mistakes."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

NUMBER_WIDTH = 144  # pixels: four fit beside each other on a page of 1024


def show_numbers(numbers: Mapping[str, str], width: int = NUMBER_WIDTH) -> None:
    """Show labelled numbers side by side; on a phone, two per row."""
    with st.container(horizontal=True, gap="medium"):
        for label, number in numbers.items():
            st.metric(label, number, width=width)


def show_table(
    rows: Sequence[Mapping[str, object]], losses: Sequence[str] = (), bare: Sequence[str] = ()
) -> None:
    """Show rows as a table; its numbers have the format that they have in sentences.

    Args:
        rows: the cells of each row, by column.
        losses: the columns with three decimals.
        bare: the columns of integers without separators: IDs.
    """
    frame = pd.DataFrame(rows)
    integers = frame.select_dtypes("integer").columns.difference(list(bare))
    formats: dict[Any, Any] = dict.fromkeys(integers, "{:,}") | dict.fromkeys(losses, "{:.3f}")
    st.dataframe(frame.style.format(formats, na_rep="–"), hide_index=True)


def formula(latex: str, meaning: str) -> None:
    """Show a formula and, below it, the meaning of its symbols."""
    with st.container(border=True):
        st.latex(latex)
        st.caption(meaning)


def common_mistake(text: str) -> None:
    """Point out a mistake of circulating notes. The text is HTML, never a user's."""
    st.html(f'<p class="gpt-slip"><span>Elsewhere you may have read</span> {text}</p>')

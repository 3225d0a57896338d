"""The user's choice of axes for the losses."""

import streamlit as st

from dashboard.app import session_keys
from dashboard.charts import AXES, Axes

AXIS_NAMES = {
    "epochs": "Epochs",
    "global_step": "Steps",
    "tokens_seen": "Tokens",
    "minutes": "Minutes",
}
BITS_PER_BYTE = (
    "Bits per byte is the loss by the bytes of the text, not by its tokens: runs with different "
    "vocabularies can be compared in nothing else."
)


def choose_axes() -> Axes:
    """Let the user choose the axes; the caller provides the row for the controls."""
    x = st.segmented_control(
        "Against",
        list(AXES),
        default="epochs",
        format_func=lambda name: AXIS_NAMES[name],
        required=True,
        key=session_keys.AXIS,
        persist_state="session",
    )
    height = st.segmented_control(
        "Measured as",
        ["Loss", "Perplexity", "Bits per byte"],
        default="Loss",
        required=True,
        help="Perplexity is exp(loss): the number of equally likely tokens it chooses among. "
        f"{BITS_PER_BYTE}",
        key=session_keys.HEIGHT,
        persist_state="session",
    )
    scale = st.segmented_control(
        "Scale",
        ["Linear", "Log"],
        default="Log" if height == "Perplexity" else "Linear",
        required=True,
        key=f"{session_keys.SCALE}-{height}",
        persist_state="session",
    )
    return Axes(x or "epochs", height == "Perplexity", scale == "Log", height == "Bits per byte")

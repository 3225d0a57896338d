"""A window of the text: its prediction tasks and its two tensors."""

import streamlit as st
from torch import Tensor

from dashboard.app import session_keys
from dashboard.charts import count
from dashboard.components.token_chips import Row, token_chips
from dashboard.tokens.text_and_ids import MAX_WINDOW
from gpt_core.text import TokenWindows


def show_window(token_ids: Tensor) -> None:
    """Show a window of the text as inputs and targets: T tokens, T prediction tasks."""
    longest = min(MAX_WINDOW, len(token_ids) - 1)
    if longest < 1:
        st.text("A window takes two tokens: one to read, one to predict.")
        return
    left, right = st.columns(2, gap="large")
    with left:
        length = choose_up_to(
            longest, 1, min(3, longest), "Tokens per window, T", session_keys.WINDOW
        )
    with right:
        start = choose_up_to(
            len(token_ids) - 1 - length, 0, 0, "Where it begins", session_keys.WINDOW_START
        )
    inputs, targets = TokenWindows(token_ids[start:], length, stride=length)[0]  # (T,), (T,)
    ids: list[int] = []
    rows: list[Row] = []
    marks: list[str] = []
    for end in range(1, length + 1):
        rows.append(Row(len(ids), f"task {end}"))
        ids += [*inputs[:end].tolist(), int(targets[end - 1])]
        marks += [*[""] * end, "target"]
    token_chips(
        ids, label="The prediction tasks of this window", key="tasks", rows=rows, marks=marks
    )
    st.code(
        f"inputs  = tensor([{inputs.tolist()}])\ntargets = tensor([{targets.tolist()}])",
        language="python",
        wrap_lines=True,
    )
    st.caption(
        f"The targets are the inputs, one token later. {count(length, 'position')}, as many tasks: "
        "the model answers them all at once, and no position can see what comes after it."
    )


def choose_up_to(most: int, least: int, value: int, label: str, key: str) -> int:
    """Let the user choose a whole number, unless only one is possible."""
    if most <= least:
        return least
    # A slider with other bounds is a new widget: the chosen value is carried over here.
    value = min(max(st.session_state.get(key, value), least), most)
    st.session_state[key] = st.slider(label, least, most, value, key=f"{key} {least} {most}")
    return int(st.session_state[key])

"""Model: a configuration, the architecture that follows from it, and its size."""

import streamlit as st

from dashboard.model import architecture
from dashboard.ui import page_title
from gpt_core.inspection import summarize

page_title(
    "Model",
    "Seven settings describe a GPT. Change one and see what becomes of the "
    "model: its parts, the tensors between them, its size.",
)

with st.container(border=True):
    config = architecture.choose_config()

if config:
    summary = summarize(config, architecture.BATCH_SIZE, architecture.num_tokens(config))
    architecture.show_size(summary)
    st.header("From token IDs to logits")
    st.caption(
        f"For a batch of {architecture.BATCH_SIZE} rows of {architecture.num_tokens(config)} "
        "tokens. Beside each part: its parameters, in the blocks those of one block; the bar is "
        "the share of all parameters, all blocks counted. Below it, the shape of its output."
    )
    st.html(architecture.drawing(config, summary))
    st.header("How “124M” is counted")
    architecture.show_count(config, summary)

st.header("The code")
architecture.show_source()

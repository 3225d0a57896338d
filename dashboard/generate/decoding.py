"""How the next token is chosen: the chapter's nine words, and the widgets for the settings."""

import streamlit as st
import torch

from dashboard.app import session_keys
from dashboard.charts import settings_bars
from dashboard.components.live_chart import live_chart
from dashboard.ui import formula, show_code
from gpt_core.model import Decoding, next_token_probas
from gpt_core.vocabularies import DECODING_LOGITS, DECODING_VOCABULARY

EXAMPLES = {
    "Temperature 1": Decoding(1.0),
    "Temperature 0.1": Decoding(0.1),
    "Temperature 5": Decoding(5.0),
    "Top-k 3": Decoding(1.0, top_k=3),
}
HOTTEST = 5.0
DEFAULTS = (0.0, 1.0, 1.0)  # temperatures of the settings side by side
VOCABULARY_SIZE = 50257


def show_nine_words() -> None:
    """Show how temperature and top-k change the probabilities of nine words."""
    st.header("Nine words, one to choose")
    logits = torch.tensor(DECODING_LOGITS)  # (9,)
    probas = {
        name: next_token_probas(logits, decoding).tolist() for name, decoding in EXAMPLES.items()
    }
    live_chart(
        settings_bars(DECODING_VOCABULARY, probas),
        "Probabilities of nine words. "
        + " ".join(f"{name}: forward {values[3]:.3f}." for name, values in probas.items()),
        key="nine-words",
    )
    formula(
        r"p_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}}",
        "z are the model's scores, the logits. A temperature T below 1 moves probability to the "
        "most probable token, above 1 to the others; their order stays. Top-k leaves only the k "
        "most probable tokens, top-p the most probable ones that together reach p; their "
        "probabilities then sum to 1 again. T = 0 means greedy: always the most probable token.",
    )
    show_code(next_token_probas)


def choose_decoding(number: int) -> Decoding:
    """Let the user choose how one of the texts side by side is decoded."""
    key = f"{session_keys.WRITE_DECODING}-{number}"
    temperature = st.slider(
        "Temperature",
        0.0,
        HOTTEST,
        DEFAULTS[number],
        step=0.1,
        help="0 always takes the most probable token.",
        key=f"{key}-temperature",
        persist_state="session",
    )
    is_greedy = temperature == 0
    top_k = st.number_input(
        "Top-k",
        1,
        VOCABULARY_SIZE,
        25 if number == 2 else None,
        placeholder="all tokens",
        disabled=is_greedy,
        key=f"{key}-top-k",
        persist_state="session",
    )
    top_p = st.number_input(
        "Top-p",
        0.01,
        1.0,
        None,
        step=0.05,
        placeholder="all tokens",
        disabled=is_greedy,
        key=f"{key}-top-p",
        persist_state="session",
    )
    return Decoding(temperature) if is_greedy else Decoding(temperature, top_k, top_p)


def describe_decoding(decoding: Decoding) -> str:
    """Describe in a few words how a text is decoded."""
    if decoding.temperature == 0:
        return "Greedy"
    parts = [f"Temperature {decoding.temperature:g}"]
    if decoding.top_k is not None:
        parts.append(f"top-k {decoding.top_k:,}")
    if decoding.top_p is not None:
        parts.append(f"top-p {decoding.top_p:g}")
    return ", ".join(parts)

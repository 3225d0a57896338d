"""How the next token is chosen: the chapter's nine words, and the widgets for the settings."""

from collections.abc import Sequence

import streamlit as st
import torch

from dashboard.app import fragment, session_keys
from dashboard.charts import count, word_bars
from dashboard.components.live_chart import live_chart
from dashboard.ui import formula, show_code
from gpt_core.model import Decoding, next_token_probas
from gpt_core.vocabularies import DECODING_LOGITS, DECODING_VOCABULARY

WORDS = DECODING_VOCABULARY
EXAMPLES = {  # the chapter's settings of the nine words
    "Temperature 1": Decoding(1.0),
    "Temperature 0.1": Decoding(0.1),
    "Temperature 5": Decoding(5.0),
    "Top-k 3": Decoding(1.0, top_k=3),
}
DEFAULT = "Top-k 3"  # shows both rows of probabilities that the chapter prints
SLIDERS = [f"{session_keys.NINE_WORDS}-{name}" for name in ("temperature", "top-k", "top-p")]
SMALLEST_NAMED = 0.0001
HOTTEST = 5.0
DEFAULTS = (0.0, 1.0, 1.0)  # temperatures of the settings side by side
VOCABULARY_SIZE = 50257


def show_nine_words() -> None:
    """Show how temperature, top-k and top-p change the probabilities of nine words."""
    st.header("Nine words, one to choose")
    st.text("What follows “every effort moves you”? A model of nine words gives each a score.")
    fragment(_show_bars)()
    formula(
        r"p_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}}",
        "z are the model's scores, the logits. A temperature T below 1 makes the probabilities "
        "more unequal, above 1 more even; their order stays. Top-k leaves only the k most "
        "probable tokens, top-p the most probable ones that together reach p; their "
        "probabilities then sum to 1 again. T = 0 means greedy: always the most probable token.",
    )
    show_code(next_token_probas)


def _show_bars() -> None:
    """Let the user set temperature, top-k and top-p, and draw what they do to the nine words."""
    decoding = _choose_settings()
    logits = torch.tensor(DECODING_LOGITS)  # (9,)
    before = next_token_probas(logits, Decoding(1.0)).tolist()
    after = next_token_probas(logits, decoding).tolist()
    live_chart(
        word_bars(WORDS, before, after),
        "Probabilities of nine words, the model's own and those that the next word is drawn from: "
        + ", ".join(
            f"{word} {own:.3f} and {drawn:.3f}"
            for word, own, drawn in zip(WORDS, before, after, strict=True)
        ),
        key="nine-words",
    )
    st.text(describe_words(after))


def describe_words(probas: Sequence[float]) -> str:
    """Describe what the next of the nine words is drawn from, the most probable first."""
    ranked = sorted(zip(probas, WORDS, strict=True), reverse=True)
    named = [f"{word} {proba:.4f}" for proba, word in ranked if proba >= SMALLEST_NAMED]
    left_out = sum(proba == 0 for proba in probas)
    improbable = len(WORDS) - len(named) - left_out
    return f"Drawn from: {', '.join(named)}." + (
        f" {count(improbable, 'word')} below {SMALLEST_NAMED}." * bool(improbable)
        + f" {count(left_out, 'word')} left out." * bool(left_out)
    )


def _choose_settings() -> Decoding:
    """Let the user choose the settings of the nine words: the chapter's, or others by sliders."""
    values = [
        st.session_state.get(key, value)
        for key, value in zip(SLIDERS, _positions(EXAMPLES[DEFAULT]), strict=True)
    ]
    st.session_state[session_keys.NINE_WORDS] = next(  # none, if the sliders are elsewhere
        (name for name, example in EXAMPLES.items() if _positions(example) == values), None
    )
    st.pills(
        "The chapter's settings",
        list(EXAMPLES),
        key=session_keys.NINE_WORDS,
        on_change=_move_sliders,
    )
    is_greedy = values[0] == 0
    first, second, third = st.columns(3)
    temperature = first.slider(
        "Temperature",
        *(0.0, HOTTEST, values[0], 0.1),
        format="%.1f",
        help="0 always takes the most probable word.",
        key=SLIDERS[0],
        persist_state="session",
    )
    top_k = second.slider(
        "Top-k",
        *(1, len(WORDS), values[1], 1),
        help=f"{len(WORDS)} leaves all words.",
        disabled=is_greedy,
        key=SLIDERS[1],
        persist_state="session",
    )
    top_p = third.slider(
        "Top-p",
        *(0.05, 1.0, values[2], 0.05),
        help="1 leaves all words.",
        disabled=is_greedy,
        key=SLIDERS[2],
        persist_state="session",
    )
    # At 1, the sum of float32 probabilities would leave out the last words.
    return Decoding(temperature, top_k, top_p if top_p < 1 else None)


def _positions(decoding: Decoding) -> list[float]:
    """Return the positions of the sliders: those of all words, without top-k or top-p."""
    return [decoding.temperature, decoding.top_k or len(WORDS), decoding.top_p or 1.0]


def _move_sliders() -> None:
    """Move the sliders to the chosen settings of the chapter."""
    name = st.session_state[session_keys.NINE_WORDS]
    if name is not None:  # a second press on the same settings changes nothing
        for key, value in zip(SLIDERS, _positions(EXAMPLES[name]), strict=True):
            st.session_state[key] = value


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

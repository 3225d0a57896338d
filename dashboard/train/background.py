"""What the curves are: their formula, and the code that measures them."""

import streamlit as st

from dashboard.ui import formula, show_code
from gpt_core.training import evaluate_model, learning_rate_at, measure_loader, train


def show_background() -> None:
    """Explain the curves: the formula, and the code that measures them."""
    st.header("What the curves are")
    formula(
        r"\text{Loss} = -\frac{1}{N} \sum_{i=1}^{N} \log p_i",
        "p is the probability that the model gave to the right next token, at each of the N "
        "positions. Training: up to eval_iter batches (5 unless changed) of the text it learns "
        "from. Validation: as many of the part it never learns from. Dropout is off for both. The "
        "faint line behind them is each step's own batch or batches, with dropout on. Steps are "
        "counted as the book counts them: step 0 is the first update.",
    )
    show_code(evaluate_model, measure_loader)
    show_code(train, learning_rate_at)

"""Binary and categorical cross-entropy: with two classes they are the same."""

import streamlit as st
from torch import tensor
from torch.nn.functional import one_hot

from dashboard.app import session_keys
from dashboard.charts import loss_walk
from dashboard.components.live_chart import live_chart
from dashboard.ui import common_mistake, formula, show_code
from gpt_core.model import binary_cross_entropy, categorical_cross_entropy

ANSWERS = ("yes", "no")
MAX_CLASSES = 7


def show() -> None:
    """Let the user choose a guess and the right answer; show both losses and their formulas."""
    left, middle, right = st.columns(3, gap="large")
    with left:
        proba = st.slider(
            "p, given to “yes”",
            0.01,
            0.99,
            0.7,
            key=session_keys.BINARY_PROBA,
            persist_state="session",
        )
    with middle:
        answer = st.segmented_control(
            "The right answer",
            ANSWERS,
            default="yes",
            required=True,
            key=session_keys.BINARY_LABEL,
            persist_state="session",
        )
    with right:
        classes = st.slider(
            "Classes", 2, MAX_CLASSES, 2, key=session_keys.CLASSES, persist_state="session"
        )
    label = int(answer == "yes")
    # "no" and the other classes get equal parts of what "yes" leaves.
    names = ["no", "yes", *(f"other {i}" for i in range(1, classes - 1))]
    probas = [(1 - proba) / (classes - 1)] * classes
    probas[1] = proba
    binary = binary_cross_entropy(tensor([proba]), tensor([float(label)])).item()
    categorical = categorical_cross_entropy(
        tensor([probas]), one_hot(tensor([label]), classes)
    ).item()

    left, right = st.columns(2, gap="large")
    with left:
        live_chart(
            loss_walk.binary_curves(proba, label),
            f"Binary cross-entropy against p: {binary:.3f} at p = {proba:.2f}, right answer "
            f"{answer}.",
            key="binary-curves",
        )
        formula(
            r"\begin{aligned} L_{\text{BCE}} = -\frac{1}{N} \sum_{n=1}^{N} \bigl[\, "
            r"& y_n \log p_n \\ & + (1 - y_n) \log (1 - p_n) \,\bigr] \end{aligned}",
            f"Here N = 1, y = {label}, p = {proba:.2f}: the loss is {binary:.4f}. One of the two "
            "terms is always 0.",
        )
        show_code(binary_cross_entropy)
    with right:
        live_chart(
            loss_walk.class_bars(names, probas, label),
            f"Probabilities of {classes} classes; the right one has {probas[label]:.2f}.",
            key="class-bars",
        )
        formula(
            r"L_{\text{CE}} = -\frac{1}{N} \sum_{n=1}^{N} \sum_{c=1}^{C} y_{nc} \log p_{nc}",
            f"Here C = {classes}, and y is 1 for “{answer}”, else 0 (one-hot): the loss is "
            f"{categorical:.4f}.",
        )
        show_code(categorical_cross_entropy)
    if classes == 2:
        st.markdown(
            f"**The same number, {binary:.4f}.** With two classes, y and 1 − y are the one-hot "
            "target, p and 1 − p the two probabilities. A GPT's loss is the right-hand formula "
            "with a class for each token of the vocabulary, C = 50,257 with GPT-2's: of the inner "
            "sum only the target's term is left, −log p."
        )
    else:
        st.markdown(
            f"With {classes} classes only the right one's probability counts, "
            f"−log {probas[label]:.3f} = {categorical:.4f}. With two classes the two "
            "formulas always agree; with more, they agree only where “yes” is right."
        )
    common_mistake(
        "either formula without its leading minus. In fact the logarithms of probabilities are "
        "never above 0, and the loss is never below it."
    )

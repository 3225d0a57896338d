"""Attention: what each head looks at, on the chosen text."""

import math

import streamlit as st
from torch import Tensor

from dashboard.app import session_keys
from dashboard.components.attention_maps import attention_maps
from dashboard.inside import address
from dashboard.inside.findings import Findings, find
from dashboard.inside.reading import Reading, choose_token
from dashboard.ui import formula, show_code, show_table
from gpt_core.analysis import HABITS, TELLING, describe_habit
from gpt_core.inspection import HeadScores, attention_weights, block_weights, head_scores

SPELT_OUT = 2  # terms of a sum that the formula writes down
MAX_ROWS = 8  # tokens in the table of one row


def show(reading: Reading) -> None:
    """Show all heads as maps, one of them large, and one row of it in numbers."""
    found, config = find(reading), reading.model.config
    layer, head = _chosen_head(found, config.n_layers, config.n_heads)
    st.text(
        "In each head every token takes in the tokens up to it, each with a weight; the weights "
        "of a row sum to 1. Point at a token to light its row; choose one to follow it."
    )
    attention_maps(
        found.weights,
        reading.tokens(),
        [
            [head_habit(found.scores, i, j) for j in range(config.n_heads)]
            for i in range(config.n_layers)
        ],
        (layer, head),
        reading.position,
        key=session_keys.INSIDE_MAPS,
        on_head=_choose_head,
        on_token=_choose_token,
    )
    st.caption(
        "Rows look, columns are looked at; the stronger the colour, the larger the weight. What a "
        "head looks at is measured on random tokens that repeat themselves: the mean weight there, "
        f"from 0 to 1, named from {TELLING} on."
        if found.scores
        else "This model's context is too short to measure what its heads look at."
    )
    _show_row(reading, found, layer, head)
    show_code(block_weights, attention_weights, head_scores)
    address.keep()
    if st.session_state.pop(session_keys.INSIDE_ASKED, False):
        st.rerun()  # another token: all parts follow it


def _chosen_head(found: Findings, n_layers: int, n_heads: int) -> tuple[int, int]:
    """Return the chosen head, of those that this model has; at first the most telling one."""
    chosen = st.session_state.get(session_keys.INSIDE_HEAD)
    if chosen is None:
        return most_telling_head(found.scores)
    return min(chosen[0], n_layers - 1), min(chosen[1], n_heads - 1)


def _show_row(reading: Reading, found: Findings, layer: int, head: int) -> None:
    """Show how the chosen token's weights are computed in a head: the real numbers."""
    i, tokens = reading.position, reading.tokens()
    query, keys = found.queries[layer, head, i], found.keys[layer, head, : i + 1]
    products = keys @ query  # (i + 1,)
    head_dim = len(query)
    weights = found.weights[layer, head, i, : i + 1]
    order = weights.argsort(descending=True)[:MAX_ROWS].tolist()
    formula(
        r"\begin{gathered}\text{weights} = \operatorname{softmax}\left("
        r"\frac{QK^\top}{\sqrt{d}}\right) \\[1.2ex] "
        + _in_numbers(products / math.sqrt(head_dim), weights, order, i)
        + r"\end{gathered}",
        f"Row {i} of head {layer}.{head}: the query of its token, times the key of each token up "
        f"to it, divided by the root of d = {head_dim}, the numbers of a query. The softmax makes "
        "them weights: e to the power of each, divided by their sum.",
    )
    with st.expander("The numbers of this row", key=session_keys.INSIDE_NUMBERS):
        st.text(f"What “{tokens[i]}” looks at in head {layer}.{head}, the largest weights first:")
        rows = [
            {
                "token": tokens[j],
                "position": j,
                "query · key": products[j].item(),
                "divided by √d": products[j].item() / math.sqrt(head_dim),
                "weight": weights[j].item(),
            }
            for j in order
        ]
        show_table(rows, losses=("query · key", "divided by √d", "weight"))


def _in_numbers(scores: Tensor, weights: Tensor, order: list[int], i: int) -> str:
    """Return the largest weight of row i as the softmax computes it, in LaTeX."""
    powers = [f"e^{{{scores[j].item():.2f}}}" for j in order]
    rest = r" + \dots" if len(scores) > SPELT_OUT else ""
    whole = " + ".join(powers[:SPELT_OUT]) + rest
    return (
        rf"w_{{{i},{order[0]}}} = \frac{{{powers[0]}}}{{{whole}}} = "
        f"{weights[order[0]].item():.3f}"
    )


def _choose_head(layer: int, head: int) -> None:
    st.session_state[session_keys.INSIDE_HEAD] = (layer, head)


def _choose_token(position: int) -> None:
    choose_token(position)
    st.session_state[session_keys.INSIDE_ASKED] = True


def head_habit(scores: HeadScores | None, layer: int, head: int) -> str:
    """Return what a head looks at, with its score, or "" if it has no telling habit."""
    if scores is None:
        return ""
    return describe_habit({name: getattr(scores, name)[layer, head].item() for name in HABITS})


def most_telling_head(scores: HeadScores | None) -> tuple[int, int]:
    """Return the layer and number of the head with the highest induction score.

    Where no head is telling by it, it is the one that most looks at the token before.
    """
    if scores is None:
        return 0, 0
    induction, previous = scores.induction, scores.previous  # (n_layers, n_heads)
    telling = induction if induction.max() >= TELLING else previous
    layer, head = divmod(int(telling.argmax()), telling.shape[1])
    return layer, head

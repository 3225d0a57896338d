"""All attention heads as small maps on one canvas, and one of them large.

In the large map a row is lit while its token is pointed at. The chosen head and token are the
page's: a choice is reported, and drawn when the page answers.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st
import torch
import torch.nn.functional as F
from torch import Tensor

from dashboard.charts import palette
from dashboard.components.registration import register

_component = register("attention_maps", '<div class="attention-maps"></div>')

MAX_CELLS = 300_000  # of all small maps together: 144 of them with 64 tokens


def attention_maps(
    weights: Tensor,
    tokens: Sequence[str],
    habits: Sequence[Sequence[str]],
    chosen: tuple[int, int],
    position: int,
    key: str,
    on_head: Callable[[int, int], object],
    on_token: Callable[[int], object],
) -> None:
    """Show the attention weights of all heads of a model on a text.

    Args:
        weights: (n_layers, n_heads, T, T).
        tokens: the text's, readable, (T,).
        habits: what each head looks at, in words, or "", by layer and head.
        chosen: the layer and the number of the head that is shown large.
        position: the token whose row is lit while none is pointed at.
        key: identifies the maps on their page.
        on_head: is called with the layer and number of the head that the user chooses.
        on_token: is called with the position of the token that the user chooses.
    """
    n_layers, n_heads, T, _ = weights.shape

    def report_head() -> None:
        number = st.session_state.get(key, {}).get("head")
        if isinstance(number, int) and 0 <= number < n_layers * n_heads:
            on_head(*divmod(number, n_heads))

    def report_token() -> None:
        place = st.session_state.get(key, {}).get("token")
        if isinstance(place, int) and 0 <= place < T:  # the browser may send anything
            on_token(place)

    _component(
        data=maps_data(weights, tokens, habits, chosen, position),
        key=key,
        on_head_change=report_head,
        on_token_change=report_token,
    )


def maps_data(
    weights: Tensor,
    tokens: Sequence[str],
    habits: Sequence[Sequence[str]],
    chosen: tuple[int, int],
    position: int,
) -> dict[str, Any]:
    """Return the component's data: a byte for each cell of a small map, up to its diagonal.

    Maps of long texts are made smaller: each cell shows the largest weight of those it covers.
    """
    n_layers, n_heads, T, _ = weights.shape
    cell = 1  # tokens that a cell of a small map stands for
    while n_layers * n_heads * (side := -(-T // cell)) * (side + 1) // 2 > MAX_CELLS:
        cell += 1
    small = F.max_pool2d(weights.flatten(0, 1), cell, ceil_mode=True)  # (heads, side, side)
    rows, columns = torch.tril_indices(side, side)
    cells = (small[:, rows, columns] * 255).round().to(torch.uint8)
    layer, head = chosen
    return {
        "layers": n_layers,
        "heads": n_heads,
        "side": side,
        "cells": base64.b64encode(cells.numpy().tobytes()).decode(),
        "tokens": list(tokens),
        "habits": [habit for layer in habits for habit in layer],
        "chosen": layer * n_heads + head,
        "position": position,
        "weights": [
            [round(weight, 4) for weight in row[: i + 1]]
            for i, row in enumerate(weights[layer, head].tolist())
        ],
        "color": palette.ATTENTION,
    }

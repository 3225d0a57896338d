"""The logit lens as tables: for each token and layer the best token, coloured by the target's p."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from dashboard.charts import PROBABILITY_STEPS, palette
from dashboard.components.registration import register

_component = register("lens_table", '<div class="lens-table"></div>')


@dataclass(frozen=True)
class Cell:
    """What one layer reads at one token."""

    best: tuple[str, ...]  # the best tokens, the most probable first
    probas: tuple[float, ...]  # their probabilities
    target_proba: float
    strength: float  # of its colour, from 0 to 1


@dataclass(frozen=True)
class Lens:
    """What each layer of a model reads at each token of a text."""

    name: str  # the model's
    tokens: tuple[str, ...]  # (T,)
    targets: tuple[str, ...]  # (T,)
    cells: tuple[tuple[Cell, ...], ...]  # T rows of n_layers


def lens_table(
    lenses: Sequence[Lens], position: int, key: str, on_token: Callable[[int], object]
) -> None:
    """Show the lens of one model, or of two side by side.

    Args:
        lenses: of each model.
        position: the chosen token of the first one's text.
        key: identifies the tables on their page.
        on_token: is called with the position of the token that the user chooses there.
    """

    def report() -> None:
        place = st.session_state.get(key, {}).get("token")
        if isinstance(place, int) and 0 <= place < len(lenses[0].tokens):
            on_token(place)

    data = {
        "lenses": [asdict(lens) for lens in lenses],
        "position": position,
        "color": palette.TARGET,
        "steps": PROBABILITY_STEPS,
    }
    _component(data=data, key=key, on_token_change=report)

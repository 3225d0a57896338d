"""Words as points on a plane, with their names; a word can be selected, and words can have paths.

Drawn as SVG, not by Plotly: names give way to each other, points can be reached by keyboard, and
words move to their new places when the model changes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.charts import palette
from dashboard.components.registration import register

_component = register("word_map", '<div class="word-map"></div>')

Place = tuple[float, float]


@dataclass(frozen=True)
class WordPath:
    """Where a word of the map was before, the oldest place first; the last is where it is now."""

    word: int  # its position among the words
    places: Sequence[Place]


def word_map(
    words: Sequence[str],
    places: Sequence[Place],
    selected: int,
    near: Sequence[int],
    paths: Sequence[WordPath],
    label: str,
    key: str,
    on_picked: Callable[[int], None],
) -> None:
    """Show words at their places.

    Args:
        words: their texts, (N,).
        places: (x, y) of each, (N,); the scale of both axes is the same.
        selected: the position of the selected word.
        near: the positions of the words that are joined to it by lines.
        paths: of a few of the words.
        label: the map's name for screen readers.
        key: identifies the map on its page.
        on_picked: called with the position of a word that was clicked, before the page is drawn.

    Raises:
        ValueError: there are not as many places as words.
    """

    def report() -> None:
        picked = st.session_state[key].get("picked")
        if isinstance(picked, int) and 0 <= picked < len(words):  # the browser may send anything
            on_picked(picked)

    data = map_data(words, places, selected, near, paths, label)
    _component(data=data, key=key, on_picked_change=report)


def map_data(
    words: Sequence[str],
    places: Sequence[Place],
    selected: int,
    near: Sequence[int],
    paths: Sequence[WordPath],
    label: str,
) -> dict[str, Any]:
    """Return the component's data.

    Raises:
        ValueError: there are not as many places as words.
    """
    if len(places) != len(words):
        raise ValueError(f"There are {len(places)} places for {len(words)} words.")
    return {
        "label": label,
        "words": list(words),
        "places": [_rounded(place) for place in places],
        "selected": selected,
        "near": list(near),
        "paths": [
            {
                "word": path.word,
                "places": [_rounded(place) for place in path.places],
                "color": palette.RUNS[i % len(palette.RUNS)],
            }
            for i, path in enumerate(paths)
        ],
        "color": palette.TARGET,
    }


def _rounded(place: Place) -> list[float]:
    return [float(f"{coordinate:.4g}") for coordinate in place]

"""The parts of the page Inside, each a function that gets what the chosen model read."""

from collections.abc import Callable

import streamlit as st
from torch import Tensor

from dashboard.app import show_refusal
from dashboard.inside import attention, lens, over_time, text_in_colour, way_through, words
from dashboard.inside.reading import Reading, choose_reading
from gpt_core.model import GPTModel

__all__ = ["OVER_TIME", "PARTS", "Reading", "choose_reading", "over_time", "show_part"]

# The page's story, by its headings.
PARTS: dict[str, Callable[[Reading], None]] = {
    "The way through the model": way_through.show,
    "Attention": attention.show,
    "The logit lens": lens.show,
    "A text in colour": text_in_colour.show,
    "Words as places": words.show,
}
OVER_TIME = "Over the training"  # the last part, about a run


def show_part(
    title: str, fetch: Callable[[], GPTModel | None], name: str, ids: Tensor, position: int
) -> None:
    """Draw one part of the page: as a fragment, so a click in it redraws nothing else.

    A fragment's arguments stay in memory while the page is open. So it is given a function that
    fetches the model, not the model: the cache may unload it, or its owner may stop sharing it.
    """
    try:
        model = fetch()
        if model is None:
            st.rerun()  # the page says what to do
        PARTS[title](Reading(name, model, ids, position))
    except ValueError as error:
        show_refusal(error)

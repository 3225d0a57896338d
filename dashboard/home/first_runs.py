"""The two runs to begin with: one that learns to write stories, one that learns one by heart."""

from dataclasses import dataclass

import streamlit as st

from dashboard.app import (
    allowed_presets,
    current_actor,
    get_visible_runs,
    own_preset,
    session_keys,
)
from dashboard.ui import describe_seed, start_run, way_button
from gpt_core.store import Run, RunState
from gpt_core.text import BUNDLED_TEXTS, DEFAULT_TEXT, STORIES, load_text


@dataclass(frozen=True)
class FirstRun:
    """A run that one press starts: a preset on a bundled text, and what it shows."""

    preset: str
    text: str  # its name
    shows: str


GENERALISES = FirstRun(
    "minute",
    STORIES,
    "On four megabytes of simple stories, its validation loss falls to near the lowest possible.",
)
MEMORISES = FirstRun(
    "pocket",
    DEFAULT_TEXT,
    "It learns that one story by heart: the training loss keeps falling, the validation loss does "
    "not.",
)


def first_runs() -> list[FirstRun]:
    """Return the runs that are offered; in a class, of the presets that its rules allow."""
    allowed = allowed_presets()
    runs = [run for run in (GENERALISES, MEMORISES) if run.preset in allowed]
    return runs or [FirstRun(allowed[0], DEFAULT_TEXT, "The text is a short story.")]


def offer_first_runs() -> None:
    """Offer to start each of them: the first is the next thing to do."""
    first, *second = first_runs()
    _offer(first, "Train a small GPT now", is_primary=True)
    for run in second:
        _offer(run, "Learn a story by heart", is_primary=False)


def _offer(first: FirstRun, label: str, is_primary: bool) -> None:
    if st.button(label, type="primary" if is_primary else "secondary"):
        corpus = load_text(first.text)
        run_id = start_run(own_preset(first.preset, corpus), corpus)
        if run_id:
            st.switch_page("pages/train.py", query_params={session_keys.RUN: run_id})
    preset = own_preset(first.preset)
    seed = describe_seed(preset) if is_primary else ""
    st.caption(f"{preset.description} {first.shows} {seed}".strip())


def newest_of(first: FirstRun) -> Run | None:
    """Return the visitor's newest finished run of one of them."""
    wanted = (first.preset, BUNDLED_TEXTS[first.text], current_actor(), RunState.FINISHED)
    runs = get_visible_runs().runs()  # the newest first
    found = (run for run in runs if (run.preset, run.text_name, run.owner, run.state) == wanted)
    return next(found, None)


def offer_comparison() -> None:
    """Lead to the curves of both in one chart, once both have finished."""
    generalised, memorised = newest_of(GENERALISES), newest_of(MEMORISES)
    if generalised is None or memorised is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text("One model has learnt to write stories, the other has learnt one by heart.")
        if way_button("Compare their curves", "first runs"):
            # Bits per byte: their vocabularies differ, so their losses cannot be compared.
            st.session_state[f"{session_keys.LINES}-several"] = "Both"
            st.session_state[session_keys.HEIGHT] = "Bits per byte"
            both = {session_keys.RUN: [generalised.id, memorised.id]}
            st.switch_page("pages/runs.py", query_params=both)

"""The form that starts a run: preset, text, every setting, and what the run takes."""

import streamlit as st

from dashboard.app import (
    allowed_presets,
    get_cached_store,
    hidden_controls,
    own_preset,
    select_run,
    session_keys,
)
from dashboard.forms import (
    StartingWeights,
    choose_corpus,
    choose_preset,
    choose_starting_weights,
    preflight,
    settings,
)
from dashboard.ui import describe_seed, start_run
from gpt_core.access import TEXTS, WEIGHTS
from gpt_core.presets import PRESETS, Preset
from gpt_core.text import Corpus


def show_form(label: str) -> None:
    """Let the user choose preset, text and settings, show what the run takes, and start it."""
    left, right = st.columns(2, gap="large")
    hidden = hidden_controls()
    with right:
        corpus = choose_corpus()
        if TEXTS not in hidden:
            st.page_link("pages/data.py", label="Use your own text")
    with left:
        preset = choose_preset(corpus)
        if preset.name in PRESETS:
            _describe(preset, corpus)
        beginning = StartingWeights() if WEIGHTS in hidden else choose_starting_weights()
    filled, notes = st.session_state.get(session_keys.FILLED, ("", []))
    if filled == preset.name:
        st.text("\n".join(notes))
    chosen = None
    if beginning is not None:
        chosen = settings.choose_settings(beginning.preset(preset), beginning)
    ready, devices = False, settings.chosen_devices()
    if corpus is not None and chosen is not None:
        given = beginning.weights.model.vocabulary if beginning and beginning.weights else None
        ready = preflight.show_line(corpus, chosen, given, devices)
    if st.button(label, type="primary", disabled=not ready) and beginning and corpus and chosen:
        live = {run.id for run in get_cached_store().live_runs()}
        run_id = start_run(chosen, corpus, beginning.weights, devices)
        if run_id in live:
            st.toast("A run with exactly these settings is already live: here it is.")
        if run_id:
            st.session_state.pop(session_keys.FILLED, None)
            select_run(run_id)
            st.rerun()


def _describe(preset: Preset, corpus: Corpus | None) -> None:
    """Show the description of a preset, and how long each takes."""
    st.caption(f"{preset.description} {describe_seed(preset)}".strip())
    if corpus is not None:
        preflight.show_expected_times(corpus, [own_preset(name) for name in allowed_presets()])

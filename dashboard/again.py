"""Run again with changes: the form on Train as a run was set up."""

from typing import Any

import streamlit as st

from dashboard import state, widgets
from dashboard.config_form import LIMITS, MOST_OWN_PROBES, key_of
from dashboard.runtime import get_store
from dashboard.text_choice import get_library
from gpt_core import (
    BUNDLED_TEXTS,
    PRESETS,
    VERDICT,
    Corpus,
    Preset,
    Run,
    get_tokenizer,
    has_the_verdict,
    load_text,
    with_text_probe,
)


def fill_form(run: Run) -> bool:
    """Set the form on Train to a run's text and settings; False after saying why not."""
    preset = PRESETS.get(run.preset) or next(iter(PRESETS.values()))
    try:
        corpus = Corpus(run.text_name, get_store().text(run.text_sha256))
        st.session_state[state.NEW_TEXT] = _text_key(corpus)
    except ValueError as error:
        widgets.toast(error)
        return False
    values: dict[str, Any] = {**vars(run.model_config), **vars(run.training_config)}
    for name, limits in LIMITS.items():  # a field of fractions takes no whole number
        if isinstance(limits.step, float) and values[name] is not None:
            values[name] = float(values[name])
    probes = _own_probes(run, preset, corpus)
    for name, value in values.items():
        if name != "probes":
            st.session_state[key_of(preset, name)] = value
    st.session_state[state.OWN_PROBES] = "\n".join(probes[:MOST_OWN_PROBES])
    st.session_state[state.PRESET] = preset.name
    # Whichever of the two the page shows is open.
    st.session_state[state.START] = st.session_state[state.QUEUE] = True
    return True


def _text_key(corpus: Corpus) -> str:
    """Return how the form calls a text; one that is kept only for its run is kept for all again."""
    names = [*BUNDLED_TEXTS, *([VERDICT] if has_the_verdict() else [])]
    for name in names:
        if load_text(name).sha256 == corpus.sha256:
            return name
    library = get_library()
    if corpus.sha256 not in {card.sha256 for card in library.texts()}:
        library.keep(corpus, "of a run")
    return corpus.sha256


def _own_probes(run: Run, preset: Preset, corpus: Corpus) -> list[str]:
    """Return the probes that the form's lines hold: not the preset's, nor the line of the text."""
    context_length = run.model_config.context_length
    made = with_text_probe(preset.training, corpus.text, get_tokenizer(), context_length).probes
    return [probe for probe in run.training_config.probes if probe not in made]

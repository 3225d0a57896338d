"""Run again with changes: the form on Train, filled in with a run's settings."""

from typing import Any

import streamlit as st

from dashboard.app import get_store, get_visible_runs, own_preset, session_keys, toast
from dashboard.forms import (
    LIMITS,
    MAX_OWN_PROBES,
    StartingWeights,
    checkpoint_option,
    get_library,
    key_of,
    own_probes,
)
from gpt_core.model import resolve_auto
from gpt_core.presets import PRESETS, Preset
from gpt_core.store import Run
from gpt_core.text import Corpus, bundled_text
from gpt_core.training import with_text_probe
from gpt_core.vocabularies import run_tokenizer
from gpt_core.weights import INITIAL_STEP


def fill_form(run: Run) -> bool:
    """Fill in the form on Train with a run's text and settings; return False if it cannot."""
    preset = PRESETS.get(run.preset) or next(iter(PRESETS.values()))
    if run.is_redacted:
        toast(ValueError("Its text or its weights are private: it cannot be run again by others."))
        return False
    notes = [f"Filled in with the settings of run {run.id}."]
    try:
        corpus = Corpus(run.text_name, get_store().text(run.text_sha256))
        st.session_state[session_keys.NEW_TEXT] = _text_key(corpus, notes)
    except ValueError as error:
        toast(error)
        return False
    preset = own_preset(preset.name, corpus)
    values: dict[str, Any] = {**vars(run.model_config), **vars(run.training_config)}
    if values["vocabulary"] != "bpe":  # the size follows from the vocabulary
        values["vocab_size"] = preset.model.vocab_size
    for name, limits in LIMITS.items():  # a field of floats takes no int
        if isinstance(limits.step, float) and values[name] is not None:
            values[name] = float(values[name])
    if values["seed"] > LIMITS["seed"].highest:  # beyond a browser's integers
        notes.append(f"Its seed {values['seed']} is too large for the form: the preset's is used.")
        values["seed"] = preset.training.seed
    if resolve_auto(preset.training).precision == values["precision"]:
        values["precision"] = preset.training.precision  # which is the same here
    beginning = _beginning(run, notes)
    st.session_state[session_keys.START_FROM] = beginning.option
    for name, value in values.items():
        if name != "probes":
            st.session_state[key_of(preset, name, beginning)] = value
    st.session_state[session_keys.OWN_PROBES] = "\n".join(_own_probes(run, preset, corpus, notes))
    st.session_state[session_keys.PRESET] = preset.name
    st.session_state[session_keys.TIME] = None
    st.session_state[session_keys.FILLED] = (preset.name, notes)
    st.session_state[
        session_keys.QUEUE if get_visible_runs().own_live_runs() else session_keys.START
    ] = True
    return True


def _beginning(run: Run, notes: list[str]) -> StartingWeights:
    """Return the weights that a run began with, if they are saved, else random ones."""
    if not run.initial_sha256:
        return StartingWeights()
    if any(row.global_step == INITIAL_STEP for row in get_visible_runs().checkpoints(run.id)):
        return StartingWeights(checkpoint_option(run.id, INITIAL_STEP))
    notes.append(
        f"The weights it began with ({run.initial_name}) are deleted: random ones are chosen."
    )
    return StartingWeights()


def _text_key(corpus: Corpus, notes: list[str]) -> str:
    """Return the form's key of a text; save it in the library if only its run has it."""
    if name := bundled_text(corpus.sha256):
        return name
    library = get_library()
    if corpus.sha256 not in {entry.sha256 for entry in library.texts()}:
        library.keep(corpus, "of a run")
        notes.append("Its text is among your texts on Data again.")
    return corpus.sha256


def _own_probes(run: Run, preset: Preset, corpus: Corpus, notes: list[str]) -> list[str]:
    """Return the run's own probes: without the preset's, and without the text's own line."""
    context_length = run.model_config.context_length
    tokenizer = run_tokenizer(get_store(), run)
    made = with_text_probe(preset.training, corpus.text, tokenizer, context_length).probes
    wanted = [probe for probe in run.training_config.probes if probe not in made]
    kind = run.training_config.vocabulary
    fitting = [p for p in wanted if _is_line(p, context_length, kind)][:MAX_OWN_PROBES]
    if left := len(wanted) - len(fitting):
        notes.append(
            f"Left out of its rows of text: {left}. The form takes {MAX_OWN_PROBES} short ones."
        )
    return fitting


def _is_line(probe: str, context_length: int, vocabulary: str) -> bool:
    """Tell whether the form takes a probe unchanged."""
    try:
        return own_probes(probe, context_length, vocabulary) == (probe,)
    except ValueError:
        return False

"""What training on a text takes, and settings for which it is long enough."""

import streamlit as st

from dashboard.app import session_keys, show_refusal
from dashboard.forms import MIN_CONTEXT_LENGTH, preflight, settings, vocabulary
from dashboard.ui import show_numbers, start_run
from gpt_core.presets import Preset
from gpt_core.text import (
    Corpus,
    fitting_context_length,
)


def show_preflight(
    corpus: Corpus, fitted: vocabulary.FittedPreset, train_tokens: int, val_tokens: int
) -> None:
    """Show what a run on this text takes: steps, tokens, time, memory and disk."""
    preset = fitted.preset
    seconds = preflight.expected_seconds(preset, train_tokens, val_tokens)
    show_numbers(preflight.facts(preset, train_tokens, seconds))
    vocabulary.show_size(fitted, train_tokens + val_tokens)
    try:
        preflight.require_memory(preset)
    except ValueError as error:
        show_refusal(error)
        return
    preflight.measure_time(corpus, fitted)
    if st.button("Train on this text", type="primary"):
        run_id = start_run(preset, corpus)
        if run_id:
            st.switch_page("pages/train.py", query_params={session_keys.RUN: run_id})


def offer_fixes(preset: Preset, train_tokens: int, val_tokens: int) -> None:
    """Offer settings, one click each, for which both splits are long enough."""
    training = preset.training
    fits = fitting_context_length(train_tokens, val_tokens, training.batch_size, training.stride)
    if fits >= MIN_CONTEXT_LENGTH:
        st.button(
            f"Use context_length = {min(fits, 1024)}",
            on_click=_set,
            args=(settings.key_of(preset, "context_length"), min(fits, 1024)),
        )
    total, needed = train_tokens + val_tokens, preset.model.context_length + 1
    ratio = int(100 * (1 - 1.1 * needed / total)) / 100 if total else 0.0
    stride = training.stride or preset.model.context_length
    train_needed = (training.batch_size - 1) * stride + needed
    if 0.5 <= ratio < training.train_ratio and 0.95 * ratio * total >= train_needed:
        st.button(
            f"Use {ratio:.0%} for training",
            on_click=_set,
            args=(settings.key_of(preset, "train_ratio"), ratio),
        )


def _set(key: str, value: float) -> None:
    st.session_state[key] = value

"""The settings that cut a text into windows, and its token IDs."""

import streamlit as st
from torch import Tensor

from dashboard.app import get_store
from dashboard.forms import choose_preset, settings
from gpt_core.config import TrainingConfig
from gpt_core.presets import Preset
from gpt_core.text import (
    Corpus,
    token_cache_in,
)
from gpt_core.training import encode_splits
from gpt_core.vocabularies import END_OF_TEXT, Tokenizer

LONG_TEXT = 3_000_000  # characters; a longer text gets a progress bar
CUTTING = ("train_ratio", "context_length", "batch_size", "stride")


def choose_settings(corpus: Corpus) -> Preset | None:
    """Let the user set how the text is cut into windows; return the preset with that."""
    preset = choose_preset(corpus)
    has_boundaries = END_OF_TEXT in corpus.text
    in_front = (*CUTTING, "end_of_text") if has_boundaries else CUTTING
    return settings.choose_settings(preset, in_front=in_front)


def encode(corpus: Corpus, config: TrainingConfig, tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """Return the token IDs of both splits, with a progress bar for a long text."""
    cache = token_cache_in(get_store().runs_dir)
    if len(corpus.text) < LONG_TEXT:
        return encode_splits(corpus.text, tokenizer, config, cache)
    bar = st.progress(0.0, text="Encoding the text…")

    def report(fraction: float) -> None:
        bar.progress(fraction, text=f"Encoding the text: {fraction:.0%}")

    splits = encode_splits(corpus.text, tokenizer, config, cache, report)
    bar.empty()
    return splits

"""The vocabulary that a run with the chosen settings has, and its tokens of the text."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import streamlit as st
from torch import Tensor

from dashboard.app import get_store, session_keys
from dashboard.components.token_chips import token_chips
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import count_config_parameters
from gpt_core.presets import Preset
from gpt_core.text import Corpus, split_text, token_cache_in
from gpt_core.training import encode_splits, fit_vocabulary
from gpt_core.vocabularies import Tokenizer, describe_sample, describe_unknown

LONG_TEXT = 300_000  # characters; learning from a longer text gets a progress bar
BYTES_PER_TOKEN = 3.0  # of byte pairs learnt from a text, roughly


class FittedPreset(NamedTuple):
    """A preset whose model has the vocabulary's size, and the tokenizer."""

    preset: Preset
    tokenizer: Tokenizer


def fit_preset(corpus: Corpus, preset: Preset, given: str | None = None) -> FittedPreset:
    """Return a preset for a text, with a progress bar while a vocabulary is learnt from it.

    ``given`` is the vocabulary of initial weights; None if they are random.

    Raises:
        ValueError: the vocabulary does not fit the text, its size or the weights.
    """
    cache = token_cache_in(get_store().runs_dir)
    model, training = preset.model, preset.training
    if training.vocabulary != "bpe" or len(corpus.text) < LONG_TEXT:
        fitted = fit_vocabulary(corpus.text, model, training, given, cache)
    else:
        bar = st.progress(0.0, text="Learning byte pairs from the text…")

        def report(fraction: float) -> None:
            bar.progress(fraction, text="Learning byte pairs from the text…")

        try:
            fitted = fit_vocabulary(corpus.text, model, training, given, cache, report)
        finally:
            bar.empty()
    return FittedPreset(replace(preset, model=fitted.model_config), fitted.tokenizer)


def gives_byte_pairs(corpus: Corpus, vocab_size: int) -> bool:
    """Return whether so many tokens can be learnt from a text; too few are found out once."""
    missing = st.session_state.setdefault(session_keys.TOO_FEW_PAIRS, set())
    if (corpus.sha256, vocab_size) not in missing:
        model, training = GPTConfig(vocab_size), TrainingConfig(vocabulary="bpe")
        try:
            fit_preset(corpus, Preset("", "", model, training))  # which is cached, and needed next
        except ValueError:
            missing.add((corpus.sha256, vocab_size))
    return (corpus.sha256, vocab_size) not in missing


def count_tokens(corpus: Corpus, fitted: FittedPreset) -> tuple[int, int]:
    """Return the numbers of tokens of a text's two splits."""
    cache = token_cache_in(get_store().runs_dir)
    splits: tuple[Tensor, Tensor] = encode_splits(
        corpus.text, fitted.tokenizer, fitted.preset.training, cache
    )
    return len(splits[0]), len(splits[1])


def expect_tokens(corpus: Corpus, preset: Preset) -> tuple[int, int]:
    """Return about how many tokens of a preset's vocabulary a text's two splits have.

    Byte pairs are not learnt for this: from a long text it would take a minute.
    """
    training = preset.training
    if training.vocabulary != "bpe":
        return count_tokens(corpus, fit_preset(corpus, preset))
    tokens = len(corpus.text.encode()) / BYTES_PER_TOKEN
    train_tokens = int(training.train_ratio * tokens)
    return train_tokens, int(tokens) - train_tokens


def show_size(fitted: FittedPreset, tokens: int) -> None:
    """Show what the vocabulary makes of the text and of the model."""
    model = fitted.preset.model
    parameters = count_config_parameters(model)
    rows = model.vocab_size * model.emb_dim * (1 if model.tied_head else 2)
    st.caption(
        f"A vocabulary of {model.vocab_size:,} tokens: the text has {tokens:,} of them, a guess "
        f"among all costs ln V = {math.log(model.vocab_size):.2f} nats, and "
        f"{100 * rows / parameters:.0f}% of the model's parameters are its rows in the token "
        "embedding and the output head."
    )


def show_frequent(
    most_frequent: Sequence[tuple[int, int]], tokenizer: Tokenizer, label: str, key: str
) -> None:
    """Show a text's most frequent tokens, each with how often it occurs.

    Args:
        most_frequent: token IDs and their counts.
        tokenizer: of their vocabulary.
        label: the list's name for screen readers.
        key: identifies the chips on their page.
    """
    token_chips(
        [token_id for token_id, _ in most_frequent],
        label=label,
        key=key,
        second_line=[f"{times:,}×" for _, times in most_frequent],
        tokenizer=tokenizer,
    )


def show_notes(corpus: Corpus, fitted: FittedPreset) -> None:
    """Say so if byte pairs are learnt from a part of the text, or characters are unknown."""
    training = fitted.preset.training
    _, validation = split_text(corpus.text, training.train_ratio)
    for note in (
        describe_sample(training.vocabulary, corpus.text),
        describe_unknown(training.start_context, fitted.tokenizer),
        describe_unknown("".join(training.probes), fitted.tokenizer, "A row of text"),
        describe_unknown(validation, fitted.tokenizer, "The validation text"),
    ):
        if note:
            st.text(note)

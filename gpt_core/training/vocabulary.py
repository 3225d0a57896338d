"""The vocabulary of a run: given with its weights, or learnt from its training split."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.text import TextFile, TokenCache, split_index, text_sha256
from gpt_core.vocabularies import (
    END_OF_TEXT,
    SAMPLE_BYTES,
    SAMPLE_PARTS,
    Tokenizer,
    learn_vocabulary,
    read_vocabulary,
)

DERIVED = GPTConfig().vocab_size  # of a configuration that leaves the size to the vocabulary
MIN_BYTE_PAIRS = 258  # the 256 bytes, one merge and the end of text


class FittedVocabulary(NamedTuple):
    """A run's vocabulary, its tokenizer, and the model's configuration with its size."""

    vocabulary: str  # a tokenizer.json; "" for GPT-2's
    tokenizer: Tokenizer
    model_config: GPTConfig


def fit_vocabulary(
    text: str | TextFile,
    model_config: GPTConfig,
    config: TrainingConfig,
    given: str | None = None,
    cache: TokenCache | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> FittedVocabulary:
    """Return the vocabulary that a run on a text has, and its model's configuration.

    Args:
        text: the text to train on.
        model_config: its vocab_size is asked for with vocabulary="bpe"; otherwise it is derived.
        config: gives vocabulary, train_ratio and end_of_text.
        given: the vocabulary of initial weights, with which the run goes on; None learns it.
        cache: where a vocabulary learnt from a long text is saved.
        on_progress: called with the fraction done, from 0 to 1, while byte pairs are learnt.

    Raises:
        ValueError: vocab_size contradicts the vocabulary or is more than the text gives, or the
            given vocabulary is of another kind.
    """
    if given is not None:
        tokenizer = read_vocabulary(given)
        if tokenizer.name != config.vocabulary:
            raise ValueError(
                f"vocabulary={config.vocabulary} does not fit the initial weights, which read "
                f"{tokenizer.name}: choose that, or random weights."
            )
        return FittedVocabulary(given, tokenizer, model_config)
    if config.vocabulary == "gpt2":
        return FittedVocabulary("", read_vocabulary(""), model_config)
    check_vocab_size(model_config, config)
    size, special = model_config.vocab_size, config.end_of_text

    def learn() -> str:
        training_text = _learnt_from(text, config)
        return learn_vocabulary(config.vocabulary, training_text, size, special, on_progress)

    if cache is None or config.vocabulary == "bytes":
        vocabulary = learn()
    else:
        part = f"{config.vocabulary}-{size}-{config.train_ratio}{'' if special else '-plain'}"
        sha256 = text_sha256(text) if isinstance(text, str) else text.sha256
        vocabulary = cache.get_vocabulary(sha256, part, learn)
    tokenizer = read_vocabulary(vocabulary)
    if size not in (DERIVED, tokenizer.n_vocab):
        raise ValueError(
            f"vocab_size={size} contradicts vocabulary={config.vocabulary}, which has "
            f"{tokenizer.n_vocab:,} tokens on this text: leave vocab_size at {DERIVED}."
        )
    return FittedVocabulary(
        vocabulary, tokenizer, replace(model_config, vocab_size=tokenizer.n_vocab)
    )


def _learnt_from(text: str | TextFile, config: TrainingConfig) -> str:
    """Return the training split or, of a file, what of it a vocabulary is learnt from."""
    end = split_index(text, config.train_ratio)
    if isinstance(text, str):
        return text[:end]
    if config.vocabulary == "characters":
        characters: set[str] = set()
        for piece in text.pieces(0, end):
            characters.update(piece.replace(END_OF_TEXT, "") if config.end_of_text else piece)
        return "".join(sorted(characters))
    step = end // SAMPLE_PARTS
    size = step * SAMPLE_BYTES // max(text.offset(end), SAMPLE_BYTES)
    return "\n".join(text[i * step : i * step + size] for i in range(SAMPLE_PARTS))


def check_vocab_size(model_config: GPTConfig, config: TrainingConfig) -> None:
    """Raise ValueError if vocab_size is not a number of byte pairs that can be learnt."""
    size = model_config.vocab_size
    if config.vocabulary == "bpe" and not MIN_BYTE_PAIRS <= size <= DERIVED:
        raise ValueError(
            f"vocab_size={size} is out of range for vocabulary=bpe: choose {MIN_BYTE_PAIRS} to "
            f"{DERIVED}."
        )

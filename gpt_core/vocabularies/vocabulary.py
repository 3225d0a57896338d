"""A run's vocabulary as a text: its tokenizer.json, which belongs to the run and to its weights.

The same text is in the record, in each checkpoint and in exports. It is empty for GPT-2's
vocabulary, which comes with the app.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from gpt_core.store import RecordedRuns, Run
from gpt_core.system import parse_json
from gpt_core.vocabularies.byte_level import (
    byte_level_tokenizer,
    byte_pairs_of,
    learn_merges,
    sample_of,
    single_bytes,
    write_vocabulary,
)
from gpt_core.vocabularies.byte_pairs import SINGLE_BYTES
from gpt_core.vocabularies.characters import CharacterTokenizer
from gpt_core.vocabularies.hugging_face import (
    BytePairs,
    gpt2_pairs,
    read_byte_pairs,
    read_characters,
    read_merges,
    write_byte_pairs,
    write_characters,
)
from gpt_core.vocabularies.tokenizer import END_OF_TEXT, Tokenizer, get_tokenizer

GPT2_VOCABULARY = ""
MAX_VOCABULARY_BYTES = 2**24  # of a tokenizer.json; GPT-2's has 1.4 MB


def learn_vocabulary(
    kind: str,
    text: str,
    vocab_size: int,
    allow_special: bool = True,
    on_progress: Callable[[float], None] | None = None,
) -> str:
    """Return the vocabulary of a kind for a text; ``<|endoftext|>`` has its last ID.

    Args:
        kind: a choice of ``TrainingConfig.vocabulary``.
        text: the training split.
        vocab_size: the number of tokens, which only "bpe" asks for.
        allow_special: whether ``<|endoftext|>`` in the text is one token.
        on_progress: called with the fraction done, from 0 to 1, while byte pairs are learnt.

    Raises:
        ValueError: the text gives fewer byte pairs than ``vocab_size`` needs.
    """
    if kind == "gpt2":
        return GPT2_VOCABULARY
    if kind == "bytes":
        return write_vocabulary(single_bytes())
    if kind == "characters":
        plain = text.replace(END_OF_TEXT, "") if allow_special else text
        return write_characters(sorted(set(plain)))
    assert kind == "bpe", kind
    merges = learn_merges(text, vocab_size - SINGLE_BYTES - 1, allow_special, on_progress)
    pairs = byte_pairs_of(merges)
    tokens = len(pairs.ranks) + len(pairs.special)
    if tokens < vocab_size:
        raise ValueError(
            f"vocab_size={vocab_size} is more than the text gives: its byte pairs that occur twice "
            f"make {tokens:,} tokens. Choose vocab_size={tokens} or less, or a longer text."
        )
    return write_byte_pairs(pairs, merges)


def describe_sample(kind: str, text: str) -> str:
    """Return in words that byte pairs are learnt from a part of a long text; "" if from all."""
    learnt_from = sum(map(len, sample_of(text))) if kind == "bpe" else len(text)
    if learnt_from == len(text):
        return ""
    return (
        f"The text is long: its byte pairs are learnt from {learnt_from:,} of its {len(text):,} "
        "characters, in parts from all over it."
    )


@lru_cache(maxsize=32)  # immutable, and a large one takes a second to build
def read_vocabulary(vocabulary: str) -> Tokenizer:
    """Build the tokenizer of a vocabulary.

    Raises:
        ValueError: it is damaged, or of a kind that is not supported.
    """
    if vocabulary == GPT2_VOCABULARY:
        return get_tokenizer()
    found, _ = _parse(vocabulary)
    return found if isinstance(found, CharacterTokenizer) else byte_level_tokenizer(found)


def read_tokenizer_json(data: bytes) -> str:
    """Return the vocabulary in a tokenizer.json from elsewhere.

    Raises:
        ValueError: it is damaged, or of a kind that is not supported; the message begins with
            "tokenizer.json".
    """
    found, facts = _parse(data)
    if isinstance(found, CharacterTokenizer):
        return write_characters(found.characters)
    if found == gpt2_pairs():
        return GPT2_VOCABULARY
    with _in_words():
        return write_byte_pairs(found, read_merges(facts, found))


def _parse(data: bytes | str) -> tuple[CharacterTokenizer | BytePairs, Any]:
    """Return the vocabulary in a tokenizer.json, and the object that the file holds."""
    facts: Any = parse_json(data, "tokenizer.json", MAX_VOCABULARY_BYTES)
    with _in_words():
        if facts["model"].get("type") == "WordLevel":
            return CharacterTokenizer(read_characters(facts)), facts
        return read_byte_pairs(facts), facts


@contextmanager
def _in_words() -> Iterator[None]:
    """Turn the errors that a file from elsewhere can raise into a sentence."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"tokenizer.json cannot be used: {error}") from error
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        raise ValueError("tokenizer.json is not a tokenizer of Hugging Face's") from error


def vocabulary_sha256(vocabulary: str) -> str:
    """Return the SHA-256 of a vocabulary, which identifies it; "" for GPT-2's."""
    return hashlib.sha256(vocabulary.encode()).hexdigest() if vocabulary else ""


@lru_cache(maxsize=32)  # takes 20 ms for 50,000 tokens
def tokenizer_digest(tokenizer: Tokenizer) -> str:
    """Return 16 hexadecimal digits that identify a tokenizer by its tokens; "" for GPT-2's."""
    if tokenizer.name == "gpt2":
        return ""
    digest = hashlib.sha256(tokenizer.name.encode())
    for token_id in range(tokenizer.n_vocab):
        token = tokenizer.decode_single_token_bytes(token_id)
        digest.update(b"%d:%s" % (len(token), token))
    return digest.hexdigest()[:16]


def run_tokenizer(runs: RecordedRuns, run: Run) -> Tokenizer:
    """Return the tokenizer of a recorded run.

    Raises:
        ValueError: its vocabulary is missing or damaged.
    """
    return read_vocabulary(runs.vocabulary(run.vocabulary_sha256))

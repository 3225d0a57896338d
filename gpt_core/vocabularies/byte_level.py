"""Vocabularies of bytes: the 256 alone, and byte pairs learnt from a text by a fast library."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import tiktoken
from tiktoken_ext.openai_public import r50k_pat_str

from gpt_core.vocabularies.byte_pairs import SINGLE_BYTES, split_words
from gpt_core.vocabularies.hugging_face import (
    BYTE_ORDER,
    BytePairs,
    derive_merges,
    read_token,
    write_byte_pairs,
)
from gpt_core.vocabularies.learning import MIN_COUNT
from gpt_core.vocabularies.tokenizer import END_OF_TEXT, text_pieces

SAMPLE_BYTES = 6_000_000  # of a longer text so many are learnt from …
SAMPLE_PARTS = 16  # … in parts from all over it
MAX_WORD = 256  # bytes; learning from one word without a space takes the square of its length

Merges = list[tuple[bytes, bytes]]


def learn_merges(
    text: str,
    num_merges: int,
    allow_special: bool = True,
    on_progress: Callable[[float], None] | None = None,
) -> Merges:
    """Learn byte pairs from a text: the merges in order, each two tokens as bytes.

    They are those of :func:`gpt_core.vocabularies.learning.learn_byte_pairs`, unless a word has
    more than :data:`MAX_WORD` bytes, or the text more than :data:`SAMPLE_BYTES`.
    There are fewer than asked for if no pair occurs twice.

    Args:
        text: the text.
        num_merges: how many at most.
        allow_special: ``<|endoftext|>`` in the text is one token, of which nothing is learnt.
        on_progress: called with the fraction of the text that is read, from 0 to 1, several times
            a second.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # a tenth of a second

    sample, read = sample_of(text), 0
    total = max(1, sum(map(len, sample)))

    def parts() -> Iterator[str]:
        nonlocal read
        for part in sample:
            documents = part.split(END_OF_TEXT) if allow_special else [part]
            for document in documents:
                for start, end in text_pieces(document):
                    yield document[start:end]
                    read += end - start

    by_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [by_bytes, pre_tokenizers.FixedLength(length=MAX_WORD)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=SINGLE_BYTES + num_merges,
        min_frequency=MIN_COUNT,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    # The library reads the text in a thread of its own, where a page's progress bar is unknown.
    with ThreadPoolExecutor(1) as pool:
        learning = pool.submit(learner.train_from_iterator, parts(), trainer)
        while on_progress and not learning.done():
            on_progress(min(1.0, read / total))
            wait([learning], timeout=0.1)
        learning.result()
    if on_progress:
        on_progress(1.0)
    learnt = json.loads(learner.to_str())["model"]["merges"]
    return [(read_token(one), read_token(other)) for one, other in learnt]


def sample_of(text: str) -> list[str]:
    """Return the parts of a text that byte pairs are learnt from: all of it, unless it is long.

    Learning takes up to 120 bytes of memory for each of a text without spaces.
    """
    excess = len(text.encode()) / SAMPLE_BYTES
    if excess <= 1:
        return [text]
    step = len(text) // SAMPLE_PARTS
    size = int(step / excess)
    return [text[i * step : i * step + size] for i in range(SAMPLE_PARTS)]


def count_merges(text: str, merges: Sequence[tuple[bytes, bytes]]) -> list[int]:
    """Return how often the pair of each merge occurred when it was learnt from a text."""
    id_of = {bytes([byte]): token_id for token_id, byte in enumerate(BYTE_ORDER)}
    words = Counter(split_words(text))
    lengths = np.array([len(word.encode()) + 1 for word in words], dtype=np.int64)
    times = np.repeat(np.array([*words.values()], dtype=np.int64), lengths)
    order = np.empty(256, dtype=np.int64)
    order[BYTE_ORDER] = np.arange(256)
    joined = np.frombuffer(b"\0".join([*(word.encode() for word in words), b""]), dtype=np.uint8)
    ids = order[joined]  # (N,): all words, and a −1 after each
    ids[np.cumsum(lengths) - 1] = -1
    counts = []
    for one, other in merges:
        first, second = id_of[one], id_of[other]
        found = np.flatnonzero((ids[:-1] == first) & (ids[1:] == second))
        counts.append(int(times[found].sum()))
        if first == second:  # of "aaa" the first two are merged: every other one of neighbours
            starts = np.flatnonzero(np.diff(found, prepend=-2) > 1)
            begin = np.repeat(starts, np.diff(starts, append=len(found)))
            found = found[(np.arange(len(found)) - begin) % 2 == 0]
        new_id = id_of[one + other] = len(id_of)
        ids[found] = new_id
        ids, times = np.delete(ids, found + 1), np.delete(times, found + 1)
    return counts


def byte_pairs_of(merges: Sequence[tuple[bytes, bytes]]) -> BytePairs:
    """Return the vocabulary of merges: single bytes in GPT-2's order, merges, end of text."""
    tokens = [*(bytes([byte]) for byte in BYTE_ORDER), *(one + other for one, other in merges)]
    ranks = {token: token_id for token_id, token in enumerate(tokens)}
    return BytePairs(ranks, {END_OF_TEXT: len(tokens)})


def single_bytes() -> BytePairs:
    """Return the vocabulary of the 256 bytes, whose IDs are their values, and end of text."""
    return BytePairs({bytes([byte]): byte for byte in range(SINGLE_BYTES)}, {END_OF_TEXT: 256})


def write_vocabulary(pairs: BytePairs) -> str:
    """Return a byte-level vocabulary as a tokenizer.json."""
    return write_byte_pairs(pairs, derive_merges(pairs.ranks))


def byte_level_tokenizer(pairs: BytePairs) -> tiktoken.Encoding:
    """Build the tokenizer of a byte-level vocabulary.

    tiktoken merges neighbours whose bytes together are a token, the smallest ID first. For byte
    pairs that were learnt from a text this is the same as applying the merges in order.
    """
    return tiktoken.Encoding(
        name="bpe" if len(pairs.ranks) > SINGLE_BYTES else "bytes",
        pat_str=r50k_pat_str,
        mergeable_ranks=pairs.ranks,
        special_tokens=pairs.special,
    )


def merges_tokenizer(merges: Sequence[tuple[bytes, bytes]]) -> tiktoken.Encoding:
    """Build the tokenizer of merges, all or the first of those that were learnt from a text."""
    return byte_level_tokenizer(byte_pairs_of(merges))

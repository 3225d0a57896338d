"""Learning byte pairs, on one screen: the pair that occurs most often becomes a token, again.

The teaching version: it counts everything anew for each merge. ``byte_level.py`` gives the same
merges by a fast library.

Source: Sennrich, Haddow, Birch (2016), "Neural Machine Translation of Rare Words with Subword
Units", algorithm 1.
"""

from collections import Counter
from itertools import pairwise

from gpt_core.vocabularies.byte_pairs import SINGLE_BYTES, split_words
from gpt_core.vocabularies.hugging_face import BYTE_ORDER

Pair = tuple[int, int]  # the IDs of two neighbouring tokens
MIN_COUNT = 2  # a pair that occurs once teaches nothing


def learn_byte_pairs(text: str, num_merges: int) -> list[tuple[Pair, int]]:
    """Learn byte pairs from a text: each merge's pair of IDs, and how often it occurred.

    The tokens 0 to 255 are the single bytes, in the order of GPT-2's vocabulary. The merge with
    index i makes the token 256 + i. Of pairs that occur equally often, the one with the smallest
    IDs is merged first, as in Hugging Face's library. It ends early if no pair occurs twice.
    """
    id_of_byte = {byte: token_id for token_id, byte in enumerate(BYTE_ORDER)}
    words = Counter(tuple(id_of_byte[byte] for byte in word.encode()) for word in split_words(text))
    merges: list[tuple[Pair, int]] = []
    while len(merges) < num_merges:
        counts = count_pairs(words)
        if not counts:
            break
        pair = min(counts, key=lambda pair: (-counts[pair], pair))
        if counts[pair] < MIN_COUNT:
            break
        new_id = SINGLE_BYTES + len(merges)
        merges.append((pair, counts[pair]))
        words = Counter({merge_pair(word, pair, new_id): n for word, n in words.items()})
    return merges


def count_pairs(words: Counter[tuple[int, ...]]) -> Counter[Pair]:
    """Count the pairs of neighbours in words of token IDs, each word as often as it occurs."""
    counts: Counter[Pair] = Counter()
    for word, times in words.items():
        for pair in pairwise(word):
            counts[pair] += times
    return counts


def merge_pair(word: tuple[int, ...], pair: Pair, new_id: int) -> tuple[int, ...]:
    """Replace each occurrence of a pair in a word by one token, from left to right."""
    merged: list[int] = []
    i = 0
    while i < len(word):
        if word[i : i + 2] == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return tuple(merged)

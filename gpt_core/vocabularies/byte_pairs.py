"""How byte-pair encoding builds a word's tokens: from single bytes, merge by merge.

Source: Sennrich, Haddow, Birch (2016), "Neural Machine Translation of Rare Words with Subword
Units"; on bytes instead of characters as in GPT-2 (Radford et al., 2019).
"""

from dataclasses import dataclass
from itertools import pairwise

import regex
import tiktoken
from tiktoken_ext.openai_public import r50k_pat_str

SINGLE_BYTES = 256  # the tokens with IDs 0 to 255, one per byte


@dataclass(frozen=True)
class Merge:
    """One merge: two neighbours become one token."""

    token_ids: tuple[int, ...]  # the whole word, after this merge
    position: int  # index of the new token

    @property
    def number(self) -> int:
        """Return the merge's number among the 50,000, counted from 1 in the order of learning."""
        return self.token_ids[self.position] - SINGLE_BYTES + 1


def split_words(text: str) -> list[str]:
    """Split a text as GPT-2 does before merging: no token crosses the border of a piece.

    A word includes the space before it; digits and punctuation are separate pieces.
    """
    return regex.findall(r50k_pat_str, text)


def byte_ids(word: str, tokenizer: tiktoken.Encoding) -> tuple[int, ...]:
    """Return the token IDs of a word's single bytes, with which byte-pair encoding begins."""
    return tuple(tokenizer.encode_single_token(bytes([byte])) for byte in word.encode())


def byte_pair_merges(word: str, tokenizer: tiktoken.Encoding) -> list[Merge]:
    """Return the merges that lead from a word's bytes to its tokens, in order.

    Of all pairs of neighbours that form a token, the pair learnt first (the smallest ID) is
    merged first. This repeats until no pair forms a token.

    Args:
        word: one piece of :func:`split_words`.
        tokenizer: from :func:`gpt_core.vocabularies.tokenizer.get_tokenizer`.
    """
    parts = [bytes([byte]) for byte in word.encode()]
    merges = []
    while pairs := [
        (token_id, position)
        for position, pair in enumerate(pairwise(parts))
        if (token_id := _find(b"".join(pair), tokenizer)) is not None
    ]:
        _, position = min(pairs)
        parts[position : position + 2] = [parts[position] + parts[position + 1]]
        token_ids = tuple(tokenizer.encode_single_token(part) for part in parts)
        merges.append(Merge(token_ids, position))
    return merges


def _find(token: bytes, tokenizer: tiktoken.Encoding) -> int | None:
    try:
        return tokenizer.encode_single_token(token)
    except KeyError:  # these bytes together are not a token
        return None

"""A vocabulary of characters: the smallest tokenizer that reads any text of its own script."""

import re
from collections.abc import Collection, Iterable, Sequence, Set

import numpy as np
import numpy.typing as npt

from gpt_core.system import count
from gpt_core.vocabularies.tokenizer import END_OF_TEXT, Tokenizer

UNKNOWN = "<|unk|>"  # the token of all characters that are not in the vocabulary
SPECIAL = re.compile("|".join(map(re.escape, (UNKNOWN, END_OF_TEXT))))
MAX_NAMED = 8  # unknown characters that a sentence lists


class CharacterTokenizer:
    """One token for each character, then ``<|unk|>`` and, with the last ID, ``<|endoftext|>``.

    A character that is not in the vocabulary becomes ``<|unk|>``: nothing raises an error.

    Args:
        characters: the vocabulary's characters; they are sorted by code point.

    Source: the book, chapter 2, "Adding special context tokens" (there for words).
    """

    name = "characters"

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = sorted(set(characters))
        self._texts = [*self.characters, UNKNOWN, END_OF_TEXT]
        self.n_vocab = len(self._texts)
        self.eot_token = self.n_vocab - 1
        self.unknown_token = self.n_vocab - 2
        # The ID of each code point: one look-up in an array instead of one per character.
        code_points = [ord(character) for character in self.characters]
        self._ids = np.full(max(code_points, default=0) + 2, self.unknown_token, dtype=np.uint32)
        self._ids[code_points] = np.arange(len(code_points))

    def encode_ordinary(self, text: str) -> list[int]:
        """Encode a text in which nothing is a special token."""
        return self._look_up(text, "surrogatepass").tolist()

    def encode_to_numpy(
        self,
        text: str,
        *,
        allowed_special: Set[str] = frozenset(),
        disallowed_special: Collection[str] = (),
    ) -> npt.NDArray[np.uint32]:
        """Encode a text as an array (N,).

        If ``<|endoftext|>`` is allowed, it and ``<|unk|>`` are one token each where the text
        contains them.

        Raises:
            UnicodeEncodeError: the text contains half of a surrogate pair.
        """
        if END_OF_TEXT not in allowed_special:
            return self._look_up(text)
        parts, start = [], 0
        for special in SPECIAL.finditer(text):
            token_id = self.eot_token if special[0] == END_OF_TEXT else self.unknown_token
            parts += [self._look_up(text[start : special.start()]), np.array([token_id], np.uint32)]
            start = special.end()
        return np.concatenate([*parts, self._look_up(text[start:])])

    def decode(self, tokens: Sequence[int]) -> str:
        """Decode token IDs to text."""
        return "".join([self._texts[token] for token in tokens])

    def decode_single_token_bytes(self, token: int) -> bytes:
        """Return the UTF-8 bytes of one token."""
        return self._texts[token].encode()

    def count_unknown(self, text: str) -> int:
        """Return how many of a text's characters are not in the vocabulary."""
        return int(np.count_nonzero(self._look_up(text, "surrogatepass") == self.unknown_token))

    def _look_up(self, text: str, errors: str = "strict") -> npt.NDArray[np.uint32]:
        """Return the ID of each character, (N,)."""
        code_points = np.frombuffer(text.encode("utf-32-le", errors), dtype=np.uint32)
        # Beyond the table, the last entry, which belongs to no character.
        return self._ids[np.minimum(code_points, len(self._ids) - 1)]


def describe_unknown(text: str, tokenizer: Tokenizer, what: str = "The prompt") -> str:
    """Return in words which of a text's characters the vocabulary lacks; "" if it has them all.

    ``what`` begins the sentence.
    """
    if not isinstance(tokenizer, CharacterTokenizer):
        return ""
    plain = SPECIAL.sub("", text)
    unknown = tokenizer.count_unknown(plain)
    if not unknown:
        return ""
    distinct = sorted({*plain} - {*tokenizer.characters})
    names = [f"“{c}”" if c.isprintable() else f"U+{ord(c):04X}" for c in distinct]
    named = ", ".join(names[:MAX_NAMED])
    more = f" and {len(distinct) - MAX_NAMED} more" if len(distinct) > MAX_NAMED else ""
    return (
        f"{what} has {count(unknown, 'character')} that the vocabulary "
        f"lacks, {named}{more}: the model reads {UNKNOWN} instead."
    )

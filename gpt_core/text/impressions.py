"""What shows at a glance whether a file was read right: passages, words, odd characters."""

import re
from collections.abc import Iterator

PASSAGE = 160  # characters
PASSAGES_AT = (0.0, 1 / 3, 2 / 3)  # fractions of the text
SEARCHED = 2_000_000  # characters in which words are looked for
MAX_WORDS = 6
ODD_CHARACTERS = {
    "control character": "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]",  # not \t, \n, \f, \r
    "replacement sign": "\ufffd",
    "private-use character": "[\ue000-\uf8ff\U000f0000-\U0010ffff]",
}


def passages(text: str) -> list[str]:
    """Return the beginning of a text and two places from its middle, each on one line.

    A passage begins with a word. A text too short for three has one, all of it.
    """
    starts = PASSAGES_AT if len(text) > 3 * PASSAGE else (0.0,)
    length = PASSAGE if len(starts) > 1 else 3 * PASSAGE
    found = []
    for at in starts:
        start = int(at * len(text))
        if start and (blank := re.compile(r"\s").search(text, start, start + PASSAGE // 2)):
            start = blank.end()
        words = " ".join(text[start : start + 4 * length].split())
        found.append(words if len(words) <= length else words[:length].rstrip() + "…")
    return [passage for passage in found if passage]


def words_beyond_ascii(text: str) -> list[str]:
    """Return the first words with letters beyond ASCII, each once: they show an encoding."""
    words: dict[str, None] = {}
    for word in _words_beyond_ascii(text[:SEARCHED]):
        words.setdefault(word)
        if len(words) == MAX_WORDS:
            break
    return list(words)


def _words_beyond_ascii(text: str) -> Iterator[str]:
    for match in re.finditer(r"[^\x00-\x7f]", text):
        start = re.search(r"\w{0,20}\Z", text[max(0, match.start() - 20) : match.start()])
        end = re.match(r"\w{0,20}", text[match.start() : match.start() + 20])
        assert start is not None
        assert end is not None
        if word := (start[0] + end[0] if end[0] else ""):
            yield word


def count_odd_characters(text: str) -> dict[str, int]:
    """Return how many characters a text has that no writer types, by their kind.

    Many of them mean that the file was read in the wrong encoding, or that its fonts do not say
    which letters they draw.
    """
    counts = {kind: len(re.findall(odd, text)) for kind, odd in ODD_CHARACTERS.items()}
    return {kind: number for kind, number in counts.items() if number}

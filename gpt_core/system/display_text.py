"""Users' names and texts without invisible characters, and numbers with their nouns."""

import unicodedata

JOINERS = "\u200c\u200d"  # emoji and several scripts need them
MAX_SHORTENED = 64  # characters: no run's ID is longer
UNSEEN = ("Cc", "Cf", "Cs")  # control and format characters, half surrogate pairs


def printable(text: str) -> str:
    """Return a text without invisible characters and direction marks; empty if none is visible."""
    seen = "".join(
        char
        for char in text
        if char in f"\n\t{JOINERS}" or unicodedata.category(char) not in UNSEEN
    )
    return seen if seen.strip(f"{JOINERS} \n\t") else ""


def shorten(text: str) -> str:
    """Return a user's text for use in a sentence: on one line, visible, and shortened."""
    line = " ".join(printable(text).split())
    return line if len(line) <= MAX_SHORTENED else f"{line[:MAX_SHORTENED]}…"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 merge``, ``1,200 tokens``, ``2 batches``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"

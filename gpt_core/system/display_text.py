"""What people call things, without what cannot be seen."""

import unicodedata

JOINERS = "\u200c\u200d"  # emoji and several scripts are written with them
MAX_SHORTENED = 64  # characters: no run's ID is longer
UNSEEN = ("Cc", "Cf", "Cs")  # control characters, formats, halves of characters


def printable(text: str) -> str:
    """Return a text without what cannot be seen or turns other text around; empty if all is so."""
    seen = "".join(
        char
        for char in text
        if char in f"\n\t{JOINERS}" or unicodedata.category(char) not in UNSEEN
    )
    return seen if seen.strip(f"{JOINERS} \n\t") else ""


def shorten(text: str) -> str:
    """Return what somebody wrote as it stands in a sentence: on one line, visible, not too long."""
    line = " ".join(printable(text).split())
    return line if len(line) <= MAX_SHORTENED else f"{line[:MAX_SHORTENED]}…"

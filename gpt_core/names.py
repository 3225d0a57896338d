"""What people call things, without what cannot be seen."""

import unicodedata

JOINERS = "\u200c\u200d"  # emoji and several scripts are written with them
UNSEEN = ("Cc", "Cf", "Cs")  # control characters, formats, halves of characters


def visible(text: str) -> str:
    """Return a text without what cannot be seen or turns other text around; empty if all is so."""
    seen = "".join(
        char
        for char in text
        if char in f"\n\t{JOINERS}" or unicodedata.category(char) not in UNSEEN
    )
    return seen if seen.strip(f"{JOINERS} \n\t") else ""

"""What the glossary says about a term."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Term:
    """A term, its meaning in one sentence, and the page that shows it."""

    name: str
    meaning: str
    page: str
    also: str = ""  # its other forms on pages: a regular expression

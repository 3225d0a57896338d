"""A text and its name; joining several texts to one, and splitting one in two."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from gpt_core.documents import END_OF_TEXT
from gpt_core.text.grammar import has_stories
from gpt_core.text.tasks import has_problems
from gpt_core.validation import is_whole_text, shown

MAX_TEXT_NAME = 80  # characters
SEARCHED = 100_000  # characters in which the last border of stories or problems is looked for


class Text(Protocol):
    """A text, in memory or in a file, whose spans are read by their characters."""

    def __len__(self) -> int:
        """Return the number of characters."""

    def __getitem__(self, span: slice, /) -> str:
        """Return the characters of a span."""


@dataclass(frozen=True)
class Corpus:
    """A text and its name.

    Raises:
        ValueError: the text is empty, or contains characters that a text file cannot contain.
    """

    name: str
    text: str

    def __post_init__(self) -> None:
        if not is_whole_text(self.name):
            raise ValueError(
                f"The name {shown(self.name)} contains half of a surrogate pair: choose another."
            )
        if not self.text.strip():
            raise ValueError(f"{self.name!r} holds no text: choose a file that contains some.")
        if "\0" in self.text:
            raise ValueError(f"{self.name!r} is not a text: it holds NUL characters.")
        try:
            self.text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{self.name!r} is damaged at character {error.start:,}: it contains half of a "
                "surrogate pair. Remove it or save the text again as UTF-8."
            ) from error

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256 of the text's UTF-8 bytes, which identifies the text."""
        return text_sha256(self.text)


def text_sha256(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def readable_name(name: str) -> str:
    """Return a file's name as a text's name: on one line, with at most MAX_TEXT_NAME characters."""
    printable = "".join(c if c.isprintable() else " " for c in name)
    words = " ".join(printable.split()) or "A text without a name"
    if len(words) <= MAX_TEXT_NAME:
        return words
    return f"{words[: MAX_TEXT_NAME - 13]}…{words[-12:]}"  # with the suffix


def join_texts(texts: Sequence[Corpus]) -> Corpus:
    """Join several texts to one, with the end-of-text token between two documents.

    Raises:
        ValueError: there are no texts.
    """
    if not texts:
        raise ValueError("There is no text: choose at least one file.")
    if len(texts) == 1:
        return texts[0]
    name = readable_name(f"{len(texts)} texts: {', '.join(text.name for text in texts)}")
    return Corpus(name, END_OF_TEXT.join(text.text for text in texts))


def split_text(text: str, train_ratio: float) -> tuple[str, str]:
    """Split a text by characters: the first fraction, ``train_ratio``, and the rest.

    Source: the chapter, "Calculating the training and validation set losses".
    """
    index = split_index(text, train_ratio)
    return text[:index], text[index:]


def split_index(text: Text, train_ratio: float) -> int:
    """Return the number of characters in the training split.

    Stories of our grammar, and problems of our tasks, are not cut in two: there, the split is at
    the last border before.
    """
    index = int(train_ratio * len(text))
    beginning, before = text[:SEARCHED], text[max(0, index - SEARCHED) : index]
    border = END_OF_TEXT if has_stories(beginning) else "\n" if has_problems(beginning) else ""
    if border and border in before:
        index += before.rindex(border) + len(border) - len(before)
    return index

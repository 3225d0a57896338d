"""What reading a file gives, how it may be asked to read, and the error of an unreadable file."""

import re
from dataclasses import dataclass

# What no text holds, and no file of text may: NUL and its like, halves of surrogate pairs.
CONTROLS = "\0-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff"
END_OF_TEXT = "<|endoftext|>"  # the token between two documents


class UnreadableError(Exception):
    """A file cannot be read; the message continues a sentence that begins with its name."""


@dataclass(frozen=True)
class ReadingOptions:
    """What a person chose about how their file is read; the defaults leave it to the reader."""

    encoding: str = ""  # of a plain text or a web page; "" finds it
    article_only: bool | None = None  # of a web page; None: if the page looks like an article
    keep_licence: bool = False  # Project Gutenberg's words around a book
    column: str = ""  # of a table; "" takes the one with the most text


DEFAULTS = ReadingOptions()


@dataclass(frozen=True)
class Document:
    """A file's text, and what a reader of it should know to trust it."""

    text: str
    format: str  # "plain text", "web page", "PDF", …
    encoding: str = ""  # in which the bytes were read; "" where the format has only one
    left_out: tuple[str, ...] = ()  # what is not in the text, or was changed, and why
    is_article: bool | None = (
        None  # of a web page that looks like one: whether the rest is left out
    )
    columns: tuple[str, ...] = ()  # of a table: those with text, the one that was read first


def drop_controls(text: str, but: str = "") -> tuple[str, int]:
    """Return a text without control characters and halves of surrogate pairs, and their number.

    Args:
        text: what a library made of a file; UTF-16 pairs that belong together are one character.
        but: control characters that stay.
    """
    kept = f"(?![{re.escape(but)}])" if but else ""
    return re.subn(f"{kept}[{CONTROLS}]", "", text)

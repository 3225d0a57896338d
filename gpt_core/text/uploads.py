"""A file that a person brings in → a text to train on."""

import hashlib
import os
import re
from pathlib import Path

from gpt_core.documents import document_text
from gpt_core.text.corpus import Corpus, readable_name
from gpt_core.text.the_verdict import VERDICT_SHA256, VERDICT_TITLE

MAX_UPLOAD_MB = 100  # GPT_LAB_MAX_UPLOAD_MB says otherwise
GUTENBERG_START = re.compile(r"\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG[^\n]*\n", re.I)
GUTENBERG_END = re.compile(r"\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG", re.I)


def read_text_file(path: Path) -> Corpus:
    """Read a file from disk, as :func:`read_upload` does.

    Raises:
        ValueError: it cannot be read, is too large or holds no text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(max_upload_bytes() + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    return read_upload(path.name, data)


def read_upload(name: str, data: bytes) -> Corpus:
    """Turn the bytes of a file into a text; line endings become ``\\n``.

    Plain text in most encodings, Markdown, HTML, PDF, Word (docx) and EPUB.

    Args:
        name: the file's name; its ending helps to tell what it is, and it names the text.
        data: its bytes.

    Raises:
        ValueError: the bytes are too many, or hold no text; the message says what to do.
    """
    name = readable_name(name)
    limit = max_upload_bytes()
    if len(data) > limit:
        raise ValueError(
            f"{name!r} is larger than {limit / 2**20:.0f} MB: choose a shorter text, or start the "
            "app with GPT_LAB_MAX_UPLOAD_MB set to more."
        )
    if not data:
        raise ValueError(f"{name!r} is empty, 0 bytes: choose a file with some writing in it.")
    if hashlib.sha256(data).hexdigest() == VERDICT_SHA256:
        return Corpus(VERDICT_TITLE, data.decode("utf-8"))
    text = document_text(name, data)
    return Corpus(name, text.replace("\r\n", "\n").replace("\r", "\n"))


def max_upload_bytes() -> int:
    """Return how large a file may be.

    Raises:
        ValueError: GPT_LAB_MAX_UPLOAD_MB is no whole number.
    """
    text = os.environ.get("GPT_LAB_MAX_UPLOAD_MB", str(MAX_UPLOAD_MB))
    if not text.isdecimal():
        raise ValueError(f"GPT_LAB_MAX_UPLOAD_MB={text!r} is no whole number of megabytes.")
    return int(text) * 2**20


def gutenberg_body(text: str) -> str | None:
    """Return a text without Project Gutenberg's header and licence, or None if it has none."""
    start, end = GUTENBERG_START.search(text), GUTENBERG_END.search(text)
    if start is None and end is None:
        return None
    body = text[start.end() if start else 0 : end.start() if end else None].strip()
    return body + "\n" if body else None

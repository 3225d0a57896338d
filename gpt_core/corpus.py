"""Texts to train on: those in the repository, "The Verdict", and a person's own."""

import hashlib
import os
import re
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from http.client import HTTPException
from pathlib import Path

from gpt_core.documents import document_text
from gpt_core.system import write_whole
from gpt_core.validation import is_whole_text, shown

DATA_DIR = Path(__file__).parent.parent / "data"

DEFAULT_TEXT = "the-lamp-room"
BUNDLED_TEXTS: dict[str, str] = {
    DEFAULT_TEXT: "The Lamp Room (a short story)",
    "counting": "Counting (a tiny pattern)",
    "days-of-the-week": "Days of the week (a tiny pattern)",
    "nine-small-boats": "Nine Small Boats (a rhyme)",
}

VERDICT = "the-verdict"
VERDICT_TITLE = "The Verdict (Edith Wharton, 1908)"
VERDICT_URL = (
    "https://raw.githubusercontent.com/rasbt/LLMs-from-scratch/main/"
    "ch02/01_main-chapter-code/the-verdict.txt"
)
VERDICT_SHA256 = "b41e41a68f0398a3154ae69e2e4c0e2694e17fe0d66730536837f1b01935b31f"
VERDICT_BYTES = 20_479

MAX_UPLOAD_MB = 100  # GPT_LAB_MAX_UPLOAD_MB says otherwise
LONGEST_NAME = 80  # characters
GUTENBERG_START = re.compile(r"\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG[^\n]*\n", re.I)
GUTENBERG_END = re.compile(r"\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG", re.I)


@dataclass(frozen=True)
class Corpus:
    """A text and its name.

    Raises:
        ValueError: the text is empty, or holds characters that no file can hold.
    """

    name: str
    text: str

    def __post_init__(self) -> None:
        if not is_whole_text(self.name):
            raise ValueError(
                f"The name {shown(self.name)} holds half of a surrogate pair: give another one."
            )
        if not self.text.strip():
            raise ValueError(f"{self.name!r} holds no text: choose a file with some writing in it.")
        if "\0" in self.text:
            raise ValueError(f"{self.name!r} is not a text: it holds NUL characters.")
        _ = self.sha256  # refuses half surrogate pairs

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256 of the text's UTF-8 bytes, by which a text is recognised."""
        try:
            return hashlib.sha256(self.text.encode("utf-8")).hexdigest()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{self.name!r} is damaged at character {error.start:,}: half of a surrogate pair "
                "stands there. Remove it or save the text again as UTF-8."
            ) from error


def bundled_text(sha256: str, data_dir: Path = DATA_DIR) -> str | None:
    """Return the name of the text with this hash, of those that come with the app and The Verdict.

    None where it is none of them, or The Verdict and not fetched yet.
    """
    names = [*BUNDLED_TEXTS, *([VERDICT] if has_the_verdict(data_dir) else [])]
    return next((name for name in names if load_text(name, data_dir).sha256 == sha256), None)


@cache
def public_texts() -> frozenset[str]:
    """Return the hashes of the texts that are everybody's: those of the app, and The Verdict."""
    return frozenset({VERDICT_SHA256, *(load_text(name).sha256 for name in BUNDLED_TEXTS)})


def load_text(name: str, data_dir: Path = DATA_DIR) -> Corpus:
    """Load a bundled text or, once it is there, "The Verdict", by its name.

    Raises:
        ValueError: no text has this name, or The Verdict has not been fetched yet.
    """
    if name not in (*BUNDLED_TEXTS, VERDICT):
        raise ValueError(
            f"There is no text named {name!r}: choose {', '.join(BUNDLED_TEXTS)} or {VERDICT}."
        )
    path = data_dir / f"{name}.txt"
    if name == VERDICT:
        if not has_the_verdict(data_dir):
            raise ValueError(_how_to_get_the_verdict(path))
        return Corpus(VERDICT_TITLE, path.read_bytes().decode("utf-8"))
    return Corpus(BUNDLED_TEXTS[name], path.read_bytes().decode("utf-8"))


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


def readable_name(name: str) -> str:
    """Return a file's name as a text's name: on one line, and not too long to show."""
    printable = "".join(c if c.isprintable() else " " for c in name)
    words = " ".join(printable.split()) or "A text without a name"
    if len(words) <= LONGEST_NAME:
        return words
    return f"{words[: LONGEST_NAME - 13]}…{words[-12:]}"  # with the ending


def join_texts(texts: Sequence[Corpus]) -> Corpus:
    """Join several texts to one, with the end-of-text token between two documents.

    Raises:
        ValueError: there is none.
    """
    if not texts:
        raise ValueError("There is no text: choose at least one file.")
    if len(texts) == 1:
        return texts[0]
    name = readable_name(f"{len(texts)} texts: {', '.join(text.name for text in texts)}")
    return Corpus(name, "<|endoftext|>".join(text.text for text in texts))


def gutenberg_body(text: str) -> str | None:
    """Return a text without Project Gutenberg's header and licence, or None if it has none."""
    start, end = GUTENBERG_START.search(text), GUTENBERG_END.search(text)
    if start is None and end is None:
        return None
    body = text[start.end() if start else 0 : end.start() if end else None].strip()
    return body + "\n" if body else None


def has_the_verdict(data_dir: Path = DATA_DIR) -> bool:
    """Tell whether "The Verdict" is there and whole."""
    path = data_dir / f"{VERDICT}.txt"
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == VERDICT_SHA256


def download_the_verdict(data_dir: Path = DATA_DIR, url: str = VERDICT_URL) -> Corpus:
    """Fetch "The Verdict" from the book's public repository, check it and keep it.

    Raises:
        ValueError: it cannot be fetched, or what came is not that text; the message says how
            to bring it in without a network.
    """
    advice = _how_to_get_the_verdict(data_dir / f"{VERDICT}.txt")
    try:
        with urllib.request.urlopen(url, timeout=20) as response:  # noqa: S310 (our own address)
            data = response.read(VERDICT_BYTES + 1)  # one more: a longer file is another file
    except (OSError, HTTPException) as error:  # among OSErrors: URLError, TimeoutError
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise ValueError(f"The Verdict could not be downloaded ({reason}). {advice}") from error
    if hashlib.sha256(data).hexdigest() != VERDICT_SHA256:
        raise ValueError(f"What came from {url} is not The Verdict (wrong SHA-256). {advice}")
    keep_the_verdict(data, data_dir)
    return load_text(VERDICT, data_dir)


def keep_the_verdict(data: bytes, data_dir: Path = DATA_DIR) -> None:
    """Put "The Verdict" in its place, whole or not at all; other bytes are passed over.

    Raises:
        ValueError: the directory cannot be written.
    """
    if hashlib.sha256(data).hexdigest() != VERDICT_SHA256:
        return
    path = data_dir / f"{VERDICT}.txt"
    try:
        write_whole(path, data)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}.") from error


def _how_to_get_the_verdict(path: Path) -> str:
    return (
        f"Fetch it with one click in the app (or: python -m gpt_core fetch-verdict), or without "
        f"a network: download {VERDICT_URL} on another machine, then upload the file in the app "
        f"or put it at {path}."
    )


def split_text(text: str, train_ratio: float) -> tuple[str, str]:
    """Split a text by characters: the first ``train_ratio`` of it, and the rest.

    Source: the chapter, "Calculating the training and validation set losses".
    """
    split_index = int(train_ratio * len(text))
    return text[:split_index], text[split_index:]

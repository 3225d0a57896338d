"""An uploaded file → a text to train on."""

import os
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

from gpt_core.documents import DEFAULTS, Document, ReadingOptions
from gpt_core.system import Watch, sandbox
from gpt_core.text.corpus import Corpus, readable_name
from gpt_core.text.the_verdict import VERDICT_SHA256, VERDICT_TITLE

READ_DOCUMENT = "gpt_core.documents.reading:read_for_sandbox"
MAX_UPLOAD_MB = 100  # unless GPT_LAB_MAX_UPLOAD_MB is set


def read_text_file(path: Path) -> Corpus:
    """Read a file from disk into a text, as :func:`read_upload` does.

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
    """Turn the bytes of a file into a text, as :func:`read_upload_document` reads it.

    Raises:
        ValueError: the file is too large or holds no text; the message says what to do.
    """
    return upload_corpus(name, read_upload_document(name, data))


def upload_corpus(name: str, document: Document) -> Corpus:
    """Return the text of a file under the file's name; The Verdict has its title.

    Raises:
        ValueError: the file holds no text.
    """
    corpus = Corpus(readable_name(name), document.text)
    return replace(corpus, name=VERDICT_TITLE) if corpus.sha256 == VERDICT_SHA256 else corpus


def read_upload_document(
    name: str,
    data: bytes,
    options: ReadingOptions = DEFAULTS,
    *,
    reader: sandbox.Sandbox | None = None,
    watch: Watch | None = None,
) -> Document:
    """Read a file in a process of its own; line endings become ``\\n``.

    Args:
        name: the file's name, which its messages begin with; its suffix helps to tell the format.
        data: the file's bytes.
        options: what a person chose about how it is read.
        reader: a process for many files; without one, a new one reads this file alone.
        watch: is told how long it takes; what it raises ends the reading.

    Raises:
        ValueError: the file is too large, holds no text, or made its reader fail; the message says
            what to do.
    """
    name = readable_name(name)
    limit = max_upload_bytes()
    if len(data) > limit:
        raise ValueError(
            f"{name!r} is larger than {limit / 2**20:.0f} MB: choose a smaller file, or start the "
            "app with a larger GPT_LAB_MAX_UPLOAD_MB."
        )
    if not data:
        raise ValueError(f"{name!r} is empty, 0 bytes: choose a file that contains some text.")
    asked = asdict(options) | {"name": name}
    try:
        with nullcontext(reader) if reader else upload_reader(len(data)) as process:
            fields, text = process.call(READ_DOCUMENT, data, asked, watch)
    except sandbox.SandboxError as error:
        raise ValueError(
            f"{name!r} {error}. Save it as plain text, or as several smaller files, and upload "
            "that."
        ) from error
    fields |= {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
    return Document(**fields | {"text": text.decode("utf-8", "surrogatepass")})


def upload_reader(size: int) -> sandbox.Sandbox:
    """Return a process that reads files of up to so many bytes, one after the other."""
    memory = 2**30 + 10 * size  # a character may take 4 bytes, and there are copies
    return sandbox.Sandbox(sandbox.Limits(memory_bytes=memory))


def max_upload_bytes() -> int:
    """Return the maximum size of an uploaded file in bytes.

    Raises:
        ValueError: GPT_LAB_MAX_UPLOAD_MB is not a whole number.
    """
    text = os.environ.get("GPT_LAB_MAX_UPLOAD_MB", str(MAX_UPLOAD_MB))
    if not text.isdecimal():
        raise ValueError(f"GPT_LAB_MAX_UPLOAD_MB={text!r} is not a whole number of megabytes.")
    return int(text) * 2**20

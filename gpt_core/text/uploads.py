"""An uploaded file → a text to train on."""

import hashlib
import os
from pathlib import Path

from gpt_core.documents import read_document
from gpt_core.text.corpus import Corpus, readable_name
from gpt_core.text.the_verdict import VERDICT_SHA256, VERDICT_TITLE

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
    """Turn the bytes of a file into a text; line endings become ``\\n``.

    The formats are those of :data:`gpt_core.documents.FILE_TYPES`.

    Args:
        name: the file's name, which becomes the text's; its suffix helps to tell the format.
        data: the file's bytes.

    Raises:
        ValueError: the file is too large or holds no text; the message says what to do.
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
    if hashlib.sha256(data).hexdigest() == VERDICT_SHA256:
        return Corpus(VERDICT_TITLE, data.decode("utf-8"))
    text = read_document(name, data).text
    return Corpus(name, text.replace("\r\n", "\n").replace("\r", "\n"))


def max_upload_bytes() -> int:
    """Return the maximum size of an uploaded file in bytes.

    Raises:
        ValueError: GPT_LAB_MAX_UPLOAD_MB is not a whole number.
    """
    text = os.environ.get("GPT_LAB_MAX_UPLOAD_MB", str(MAX_UPLOAD_MB))
    if not text.isdecimal():
        raise ValueError(f"GPT_LAB_MAX_UPLOAD_MB={text!r} is not a whole number of megabytes.")
    return int(text) * 2**20

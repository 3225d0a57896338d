"""Document files → plain text: encodings, HTML, PDF, Word, EPUB.

Whatever a library raises on a damaged or hostile file becomes one ValueError that says what is
wrong and what to do. The unpacked size of a file is bounded.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from gpt_core.documents.document import (
    DEFAULTS,
    Document,
    ReadingOptions,
    UnreadableError,
    drop_controls,
)
from gpt_core.documents.docx import read_docx
from gpt_core.documents.encodings import decode_text
from gpt_core.documents.epub import is_epub, read_epub
from gpt_core.documents.html import read_html
from gpt_core.documents.pdf import find_pdf, read_pdf


def read_document(name: str, data: bytes, options: ReadingOptions = DEFAULTS) -> Document:
    """Read a file, whose first bytes and name tell its format.

    Raises:
        ValueError: the file holds no readable text; the message says why and what to do.
    """
    suffix = name.lower().rpartition(".")[2]
    read: Callable[[bytes], Document]
    if find_pdf(data) is not None:
        kind, read = "PDF", read_pdf
    elif data.startswith(b"PK\x03\x04") or suffix in ("docx", "epub"):
        kind, read = ("EPUB", read_epub) if is_epub(data, suffix) else ("Word file", read_docx)
    elif data.startswith(b"{\\rtf"):
        raise ValueError(f"{name!r} is RTF: save it as plain text or docx, and upload that.")
    elif suffix in ("html", "htm", "xhtml"):
        kind, read = "web page", partial(read_html, options=options)
    else:
        kind, read = "text", partial(read_plain_text, options=options)
    try:
        return read(data)
    except UnreadableError as error:
        raise ValueError(f"{name!r} {error}") from error
    except MemoryError:
        raise
    except Exception as error:  # whatever these libraries raise on damaged files
        raise ValueError(
            f"{name!r} is damaged, or no {kind}: open it in the program it comes from, save it "
            "again or as plain text, and upload that."
        ) from error


def read_plain_text(data: bytes, options: ReadingOptions = DEFAULTS) -> Document:
    """Return a plain text, in the encoding that was chosen or else in the most probable one."""
    text, encoding = decode_text(data, options.encoding)
    return Document(text, "plain text", encoding)


def read_for_sandbox(data: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Read a file in the process that :mod:`gpt_core.system.sandbox` starts.

    Args:
        data: the file's bytes.
        options: the fields of :class:`ReadingOptions`, and the file's ``name``.

    Returns: the other fields of the :class:`Document`, and its text in UTF-8.

    Raises:
        ValueError: the file holds no readable text; the message says why and what to do.
    """
    document = read_document(options.pop("name"), data, ReadingOptions(**options))
    text = document.text.replace("\r\n", "\n").replace("\r", "\n")
    left_out = document.left_out
    if document.format != "plain text":  # where they would mean that it is none
        text, dropped = drop_controls(text)
        left_out += (f"characters that are no text: {dropped:,}",) if dropped else ()
    return asdict(replace(document, text="", left_out=left_out)), text.encode(
        "utf-8", "surrogatepass"
    )

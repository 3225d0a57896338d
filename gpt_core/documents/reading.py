"""A file of any kind → plain text: its first bytes tell the kind, then its name.

Whatever a library raises on a damaged or hostile file becomes one ValueError that says what is
wrong and what to do. The unpacked size of a file is bounded.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from gpt_core.documents.archives import read_zip, unpack_gzip
from gpt_core.documents.document import (
    DEFAULTS,
    Document,
    ReadingOptions,
    UnreadableError,
    drop_controls,
)
from gpt_core.documents.docx import read_docx
from gpt_core.documents.encodings import decode_text
from gpt_core.documents.epub import read_epub
from gpt_core.documents.fb2 import read_fb2
from gpt_core.documents.gutenberg import gutenberg_body
from gpt_core.documents.html import read_html
from gpt_core.documents.kinds import is_html, require_readable_kind, zip_kind
from gpt_core.documents.odt import read_odt
from gpt_core.documents.pdf import find_pdf, read_pdf
from gpt_core.documents.tables import read_table

PLAIN_TYPES = ("txt", "text", "md", "markdown", "utf8", "rst", "org", "tex", "log")
CODE_TYPES = ("py", "js", "ts", "c", "h", "cpp", "java", "go", "rs", "rb", "sh", "sql", "css")
HTML_TYPES = ("html", "htm", "xhtml", "xht")
TABLE_TYPES = ("csv", "tsv", "json", "jsonl", "ndjson")
# What a file's bytes must confirm: the name alone makes no PDF.
BINARY_TYPES = {
    **{"pdf": "PDF", "epub": "EPUB", "zip": "ZIP", "gz": "gzip file"},
    **dict.fromkeys(("docx", "docm", "dotx", "dotm"), "Word file"),
    **dict.fromkeys(("odt", "ott"), "OpenDocument text"),
}
PROMISED = {**BINARY_TYPES, **dict.fromkeys(("mobi", "azw", "azw3"), "Kindle book"), "djvu": "DjVu"}
FILE_TYPES = (*PLAIN_TYPES, *CODE_TYPES, *HTML_TYPES, *BINARY_TYPES, "fodt", "fb2", *TABLE_TYPES)
MAX_DEPTH = 3  # of archives in archives

Reader = Callable[[bytes], Document]


def read_document(name: str, data: bytes, options: ReadingOptions = DEFAULTS) -> Document:
    """Read a file, whose first bytes and name tell its format.

    Raises:
        ValueError: the file holds no readable text; the message says why and what to do.
    """
    try:
        return _read(name, data, options)
    except UnreadableError as error:
        raise ValueError(f"{name!r} {error}") from error


def _read(name: str, data: bytes, options: ReadingOptions, depth: int = 0) -> Document:
    """Read a file, which may be in archives, as many as the depth says.

    Raises:
        UnreadableError: the file holds no readable text.
    """
    if depth > MAX_DEPTH:
        raise UnreadableError("is an archive in an archive in an archive: unpack it first.")
    kind, read = _reader(name, data, options, depth)
    try:
        document = read(data)
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:  # whatever these libraries raise on damaged files
        raise UnreadableError(
            f"is damaged, or no {kind}: open it in the program it comes from, save it again or as "
            "plain text, and upload that."
        ) from error
    text = document.text.replace("\r\n", "\n").replace("\r", "\n")
    return _without_licence(replace(document, text=text), options)


def _reader(name: str, data: bytes, options: ReadingOptions, depth: int) -> tuple[str, Reader]:
    """Return the kind of a file, and what reads it.

    Raises:
        UnreadableError: its kind cannot be read.
    """
    suffix = name.lower().rpartition(".")[2]
    head = data[:4096]
    require_readable_kind(data)
    readers: dict[str, Reader] = {
        "EPUB": read_epub,
        "Word file": read_docx,
        "OpenDocument text": read_odt,
        "ZIP": partial(read_zip, read=partial(_read_member, options=options, depth=depth)),
    }
    if find_pdf(data) is not None:
        return "PDF", read_pdf
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        kind = zip_kind(data, BINARY_TYPES.get(suffix, ""))
        return kind, readers[kind]
    if data.startswith(b"\x1f\x8b"):
        inside = name[:-3] if suffix == "gz" else name
        return "gzip file", lambda data: _read(inside, unpack_gzip(data), options, depth + 1)
    if is_html(head) and suffix in PROMISED:
        raise UnreadableError(
            f"is a web page (HTML), not the {PROMISED[suffix]} that its name promises: open "
            "it in a browser to see what it says, and download the book again."
        )
    if suffix in PROMISED:
        raise UnreadableError(
            f"is no {PROMISED[suffix]}, or damaged at its beginning: download it again or, if "
            "it is plain text, rename it to .txt."
        )
    if is_html(head) or suffix in HTML_TYPES:
        return "web page", partial(read_html, options=options)
    if b"<FictionBook" in head or suffix == "fb2":
        return "FictionBook", partial(read_fb2, options=options)
    if suffix == "fodt" or (b"<office:document" in head and b":opendocument:" in head):
        return "OpenDocument text", read_odt
    if suffix in TABLE_TYPES:
        return "table", partial(read_table, suffix=suffix, options=options)
    return "text", partial(read_plain_text, options=options)


def read_plain_text(data: bytes, options: ReadingOptions = DEFAULTS) -> Document:
    """Return a plain text, in the encoding that was chosen or else in the most probable one."""
    text, encoding = decode_text(data, options.encoding)
    return Document(text, "plain text", encoding)


def _read_member(name: str, data: bytes, options: ReadingOptions, depth: int) -> Document | None:
    """Read a file of a ZIP; None if its name says that it is no text."""
    stem, dot, suffix = name.lower().rpartition(".")
    if dot and stem and suffix not in FILE_TYPES:
        return None
    return _read(name, data, options, depth + 1)


def _without_licence(document: Document, options: ReadingOptions) -> Document:
    """Leave out Project Gutenberg's header and licence, unless they are to be kept."""
    body = None if options.keep_licence else gutenberg_body(document.text)
    if body is None or body == document.text:
        return document
    added = f"the licence of Project Gutenberg: {len(document.text) - len(body):,} characters"
    return replace(document, text=body, left_out=(*document.left_out, added))


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
    text, left_out = document.text, document.left_out
    if document.format != "plain text":  # where they would mean that it is none
        text, dropped = drop_controls(text)
        left_out += (f"characters that are no text: {dropped:,}",) if dropped else ()
    return asdict(replace(document, text="", left_out=left_out)), text.encode(
        "utf-8", "surrogatepass"
    )

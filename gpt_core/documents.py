"""Files as people have them → plain text: encodings, HTML, PDF, Word, EPUB.

Whatever a library makes of a damaged or hostile file comes out as one ValueError that says what
is wrong with it and what to do. What a file unpacks to is bounded.
"""

import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from posixpath import dirname, normpath
from posixpath import join as join_path
from urllib.parse import unquote

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from charset_normalizer import from_bytes
from docx import Document
from docx.table import Table
from pypdf import PdfReader

MAX_UNPACKED_BYTES = 400 * 2**20  # of a docx or epub: more than any book
MAX_UNPACKED_RATIO = 200  # text packs to a third or a tenth, not to a thousandth
BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
# What texts are saved in beside Unicode, the ones that fit almost any bytes last.
ENCODINGS = [
    *("utf_16_le", "utf_16_be", "shift_jis", "cp932", "euc_jp", "gb18030", "big5", "euc_kr"),
    *("koi8_r", "cp1251", "cp1253", "cp1255", "cp1256", "cp1250", "cp1252"),
]
MOST_NESTED = 300  # tags around a word of a web page
LEFT_OUT = ["script", "style", "head", "template", "noscript"]
BLOCKS = [
    *("p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "tr", "blockquote", "pre", "section"),
    *("article", "header", "footer", "table", "ul", "ol", "dl", "dt", "dd", "figure", "hr"),
]


def document_text(name: str, data: bytes) -> str:
    """Return the text of a file: what it is, its first bytes and its name tell.

    Raises:
        ValueError: it holds no text that can be read; the message says why and what to do.
    """
    suffix = name.lower().rpartition(".")[2]
    read: Callable[[bytes], str]
    if data.startswith(b"%PDF"):
        kind, read = "PDF", _read_pdf
    elif data.startswith(b"PK\x03\x04") or suffix in ("docx", "epub"):
        kind, read = ("EPUB", _read_epub) if _is_epub(data, suffix) else ("Word file", _read_docx)
    elif suffix in ("html", "htm", "xhtml"):
        kind, read = "web page", _read_html
    else:
        kind, read = "text", decode_text
    try:
        return read(data)
    except _UnreadableError as error:
        raise ValueError(f"{name!r} {error}") from error
    except RecursionError as error:
        raise ValueError(f"{name!r} is nested too deeply to be a {kind} for reading.") from error
    except MemoryError:
        raise
    except Exception as error:  # whatever these libraries raise on damaged files
        raise ValueError(
            f"{name!r} is damaged, or no {kind}: open it in the program it comes from, save it "
            "again or as plain text, and upload that."
        ) from error


class _UnreadableError(Exception):
    """Why a file cannot be read, to go on after its name."""


def decode_text(data: bytes) -> str:
    """Return the bytes of a plain text as text: UTF-8, or what else they are most probably in."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if _is_damaged_utf_8(data):
            raise _UnreadableError(
                f"is UTF-8 text, but damaged at byte {error.start:,}: open it in an editor, mend "
                "that place, and save it again as UTF-8."
            ) from error
    guesses = from_bytes(data, cp_isolation=ENCODINGS)
    guess = guesses.best()
    if guess is not None and guess.encoding == "cp1250":  # Central European: å reads ĺ there
        western = [g for g in guesses if g.encoding == "cp1252" and g.coherence >= guess.coherence]
        guess = western[0] if western else guess
    if guess is None or (b"\0" in data and not guess.encoding.startswith("utf_16")):
        raise _UnreadableError(
            "is not a text (a picture, a program, an archive?): choose a file with writing in it."
        )
    return data.decode(guess.encoding)


def _is_damaged_utf_8(data: bytes) -> bool:
    """Tell a UTF-8 text with a few wrong bytes from a text in another encoding."""
    with suppress(UnicodeDecodeError):
        data.decode("utf-8", errors="surrogatepass")  # nothing wrong but half surrogate pairs
        return True
    text = data.decode("utf-8", errors="replace")
    wrong = text.count("\N{REPLACEMENT CHARACTER}")
    right = sum(not character.isascii() for character in text) - wrong
    return right > wrong


def html_to_text(html: str | bytes) -> str:
    """Return what a reader sees of a web page: its paragraphs, set apart by empty lines."""
    pieces: list[str] = []
    last_block: Tag | None = None
    for element in BeautifulSoup(html, "html.parser").descendants:
        if isinstance(element, Tag):
            if element.name == "br":
                pieces.append("\n")
        elif type(element) is NavigableString:  # not a comment, not a declaration
            above = list(_ancestors(element))
            names = {tag.name for tag in above}
            if names.isdisjoint(LEFT_OUT):
                block = next((tag for tag in above if tag.name in BLOCKS), None)
                words = str(element) if "pre" in names else re.sub(r"\s+", " ", element)
                if block is not last_block and words.strip():
                    pieces.append("\n\n")
                    last_block = block
                pieces.append(words)
    lines = [line.strip(" \t") for line in "".join(pieces).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _ancestors(element: NavigableString) -> Iterator[Tag]:
    for depth, tag in enumerate(element.parents):
        if depth > MOST_NESTED:
            raise RecursionError
        yield tag


def _read_html(data: bytes) -> str:
    return html_to_text(data)


def _read_pdf(data: bytes) -> str:
    reader = PdfReader(BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise _UnreadableError(
            "is protected by a password: open it in a PDF reader, save it without one, and upload "
            "that."
        )
    text = "\n\n".join(page.extract_text().strip() for page in reader.pages)
    if not text.strip():
        raise _UnreadableError(
            "holds no text, only pictures of pages: let a program recognise their letters (OCR), "
            "or look for the book as text."
        )
    return text + "\n"


def _read_docx(data: bytes) -> str:
    _refuse_bombs(data)
    paragraphs: list[str] = []
    for block in Document(BytesIO(data)).iter_inner_content():
        if isinstance(block, Table):
            paragraphs += ["\t".join(cell.text for cell in row.cells) for row in block.rows]
        else:
            paragraphs.append(block.text)
    return "\n".join(paragraphs) + "\n"


def _read_epub(data: bytes) -> str:
    _refuse_bombs(data)
    with zipfile.ZipFile(BytesIO(data)) as book:
        names = set(book.namelist())
        if "META-INF/rights.xml" in names:
            raise _UnreadableError("is copy-protected (DRM): its text cannot be read.")
        container = BeautifulSoup(book.read("META-INF/container.xml"), "html.parser")
        root = container.find("rootfile")
        package_name = str(root["full-path"]) if root else ""
        package = BeautifulSoup(book.read(package_name), "html.parser")
        files = {str(item["id"]): str(item["href"]) for item in package("item")}
        chapters = []
        for reference in package("itemref"):  # in the order of reading
            href = unquote(files[str(reference["idref"])])
            path = normpath(join_path(dirname(package_name), href))
            chapters.append(html_to_text(book.read(path)).strip())
    return "\n\n".join(filter(None, chapters)) + "\n"


def _is_epub(data: bytes, suffix: str) -> bool:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return "META-INF/container.xml" in archive.namelist()
    except Exception:  # it is damaged, which is said when it is read
        return suffix == "epub"


def _refuse_bombs(data: bytes) -> None:
    """Refuse an archive that says it unpacks to too much; zipfile never reads beyond that."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > min(MAX_UNPACKED_BYTES, max(2**22, MAX_UNPACKED_RATIO * len(data))):
        raise _UnreadableError(
            f"would unpack to {unpacked / 2**20:,.0f} MB, from {len(data) / 2**20:.1f}: no book "
            "does, so it is not read."
        )

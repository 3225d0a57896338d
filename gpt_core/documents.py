"""Files as people have them → plain text: encodings, HTML, PDF, Word, EPUB.

Whatever a library makes of a damaged or hostile file comes out as one ValueError that says what
is wrong with it and what to do. What a file unpacks to is bounded.
"""

import codecs
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from posixpath import dirname, normpath
from posixpath import join as join_path
from typing import Any
from urllib.parse import unquote

from charset_normalizer import from_bytes
from docx import Document
from lxml import etree
from lxml import html as lxml_html
from pypdf import PdfReader

MAX_UNPACKED_BYTES = 400 * 2**20  # of a docx or epub: more than any book
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
MARKUP_COMPATIBILITY = "http://schemas.openxmlformats.org/markup-compatibility/2006"
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
# What a web page may say that it is in. Not all that Python knows: "punycode" takes hours.
WEB_ENCODINGS = {
    codecs.lookup(name).name
    for name in (*ENCODINGS, "utf-8", "utf-16", "ascii", "latin-1", "iso8859-2", "iso8859-15")
}
MOST_PAGES = 20_000  # of a PDF
LONGEST_PDF = 100_000_000  # characters: its pages may share what they show, and say it again
LEFT_OUT = {"script", "style", "head", "template", "noscript"}
BREAKS = {
    **dict.fromkeys(
        (
            *("p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "tr", "blockquote", "pre"),
            *("section", "article", "header", "footer", "table", "ul", "ol", "dl", "dt", "dd"),
            *("figure", "hr", "main", "nav", "aside", "address", "caption", "figcaption"),
        ),
        "\n\n",
    ),
    **dict.fromkeys(("td", "th"), " "),
    "br": "\n",
}


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
    elif data.startswith(b"{\\rtf"):
        raise ValueError(f"{name!r} is RTF: save it as plain text or docx, and upload that.")
    elif suffix in ("html", "htm", "xhtml"):
        kind, read = "web page", _read_html
    else:
        kind, read = "text", decode_text
    try:
        return read(data)
    except _UnreadableError as error:
        raise ValueError(f"{name!r} {error}") from error
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
    encoding = guess.encoding if guess else ""
    if guess and encoding == "cp1250":  # Central European, which reads å as ĺ
        western = data.decode("cp1252", errors="replace")
        if not re.search(r"[^\W\d_][³¹¿]", western) and any(  # which would read ł, ą, ż as these
            g.encoding == "cp1252" and g.coherence >= guess.coherence for g in guesses
        ):
            encoding = "cp1252"
        # Its twin ISO 8859-2 has ą and ś elsewhere, and no letters from 80 to 9F.
        elif not re.search(rb"[\x80-\x9f\xb9]", data):
            encoding = "iso8859_2"
    if not encoding or (b"\0" in data and not encoding.startswith("utf_16")):
        raise _UnreadableError(
            "is not a text (a picture, a program, an archive?): choose a file with writing in it."
        )
    return data.decode(encoding)


def _is_damaged_utf_8(data: bytes) -> bool:
    """Tell a UTF-8 text with a few wrong bytes from a text in another encoding."""
    with suppress(UnicodeDecodeError):
        data.decode("utf-8", errors="surrogatepass")  # nothing wrong but half surrogate pairs
        return True
    text = data.decode("utf-8", errors="replace")
    wrong = text.count("\N{REPLACEMENT CHARACTER}")
    right = sum(not character.isascii() for character in text) - wrong
    return right > wrong


def html_to_text(html: str) -> str:
    """Return what a reader sees of a web page: its paragraphs, set apart by empty lines."""
    html = re.sub(r"^\s*<\?xml[^>]*\?>", "", html)  # it names the encoding of bytes, not of a str
    parser = lxml_html.HTMLParser(remove_comments=True, remove_pis=True, huge_tree=True)
    page = lxml_html.document_fromstring(html, parser=parser)
    if any(entry.level_name == "FATAL" for entry in parser.error_log):  # it has left things out
        raise _UnreadableError(
            "is nested too deeply, or damaged, and cannot be read whole: open it in a browser and "
            "save it as plain text."
        )
    pieces: list[str] = []
    walk = etree.iterwalk(page, events=("start", "end"))
    preformatted = 0  # how many <pre> we are in

    def add(text: str | None) -> None:
        if text:
            pieces.append(text if preformatted else re.sub(r"\s+", " ", text))

    for event, element in walk:
        if event == "start":
            preformatted += element.tag == "pre"
            pieces.append(BREAKS.get(element.tag, ""))
            if element.tag in LEFT_OUT:
                walk.skip_subtree()
            else:
                add(element.text)
        else:
            preformatted -= element.tag == "pre"
            pieces.append(BREAKS.get(element.tag, "") if element.tag != "br" else "")
            add(element.tail)
    lines = [line.strip(" \t") for line in "".join(pieces).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _read_html(data: bytes) -> str:
    named = re.search(rb"(?:charset|encoding)\s*=\s*[\"']?([\w-]+)", data[:2048])
    if named and not data.startswith(tuple(BYTE_ORDER_MARKS)):
        with suppress(LookupError, UnicodeDecodeError):
            encoding = codecs.lookup(named[1].decode("ascii")).name
            if encoding in WEB_ENCODINGS:
                return html_to_text(data.decode(encoding))
    return html_to_text(decode_text(data))


def _read_pdf(data: bytes) -> str:
    reader = PdfReader(BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise _UnreadableError(
            "is protected by a password: open it in a PDF reader, save it without one, and upload "
            "that."
        )
    if len(reader.pages) > MOST_PAGES:
        raise _UnreadableError(
            f"has {len(reader.pages):,} pages: no book does. Split it, or save it as text."
        )
    pages, length = [], 0
    for page in reader.pages:
        pages.append(page.extract_text().strip())
        length += len(pages[-1])
        if length > LONGEST_PDF:
            raise _UnreadableError("holds more text than any book: split it, or save it as text.")
    text = "\n\n".join(pages)
    if not text.strip():
        raise _UnreadableError(
            "holds no text, only pictures of pages: let a program recognise their letters (OCR), "
            "or look for the book as text."
        )
    return text + "\n"


def _read_docx(data: bytes) -> str:
    _refuse_bombs(data)
    body: Any = Document(BytesIO(data)).element.body
    # What stands there once more: text boxes for older Words, and text at the place it left.
    etree.strip_elements(body, f"{{{MARKUP_COMPATIBILITY}}}Fallback", f"{{{WORD}}}moveFrom")
    pieces: list[str] = []
    for element in body.iter(f"{{{WORD}}}*"):  # in tables, insertions and text boxes, too
        kind = etree.QName(element).localname
        if kind == "t":
            pieces.append(element.text or "")
        elif kind == "p":
            pieces.append("\n")
        elif kind in ("tab", "br", "cr") and etree.QName(element.getparent()).localname == "r":
            pieces.append("\t" if kind == "tab" else "\n")  # not a tab stop of the paragraph
    return "".join(pieces).strip("\n") + "\n"


def _read_epub(data: bytes) -> str:
    _refuse_bombs(data)
    with zipfile.ZipFile(BytesIO(data)) as book:
        names = set(book.namelist())
        package_name = _elements(book, "META-INF/container.xml", "rootfile")[0].get("full-path", "")
        files = {
            item.get("id"): normpath(
                join_path(dirname(package_name), unquote(item.get("href", "")))
            )
            for item in _elements(book, package_name, "item")
        }
        references = _elements(book, package_name, "itemref")  # in the order of reading
        chapters = dict.fromkeys(files[reference.get("idref")] for reference in references)
        locked: set[str] = set()
        if "META-INF/encryption.xml" in names:  # it may only name fonts
            places = _elements(book, "META-INF/encryption.xml", "CipherReference")
            locked = {unquote(place.get("URI", "")) for place in places}
        if "META-INF/rights.xml" in names or locked & set(chapters):
            raise _UnreadableError("is copy-protected (DRM): its text cannot be read.")
        texts = [_read_html(book.read(chapter)).strip() for chapter in chapters]  # each once
    return "\n\n".join(filter(None, texts)) + "\n"


def _elements(book: zipfile.ZipFile, path: str, name: str) -> list[Any]:
    """Return the elements of a name in an XML file of the book, whatever their prefix."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return list(etree.fromstring(book.read(path), parser).iter(f"{{*}}{name}"))


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

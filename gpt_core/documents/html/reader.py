"""The bytes of a web page → its text, in the encoding that it declares."""

import re
from contextlib import suppress

from gpt_core.documents.document import DEFAULTS, Document, ReadingOptions, UnreadableError
from gpt_core.documents.encodings import BYTE_ORDER_MARKS, decode_text, web_encoding
from gpt_core.documents.html.article import article_text
from gpt_core.documents.html.page import describe_left_out, parse_html

DECLARED_WITHIN = 16_384  # bytes; pages put scripts before the element that names the encoding
XML_DECLARATION = re.compile(rb"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']\s*([^\"'\s]+)")
# The next thing in a page's head that is not looked into, or names the encoding, or ends the head.
HEAD_PARTS = re.compile(
    rb"<!--.*?(?:-->|\Z)|<(script|style|title|noscript|textarea)\b.*?(?:</\1|\Z)"
    rb"|<meta\b((?:[^>\"']|\"[^\"]*\"|'[^']*')*)|<(?:/head|body|p|div|h1)\b",
    re.DOTALL | re.IGNORECASE,
)
ATTRIBUTE = re.compile(rb"([^\s=/\"'>]+)\s*(?:=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?")
CONTENT_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([^\s\"';]+)", re.IGNORECASE)
MAX_DAMAGED = 0.01  # of a page's characters: with more, it is no text in that encoding


def declared_label(data: bytes) -> str:
    """Return the name of the encoding that a page's head or XML declaration gives, "" if none.

    What the page says elsewhere, in its prose, its scripts or a comment, does not count.
    """
    if found := XML_DECLARATION.match(data[:1024]):
        return found[1].decode("ascii", errors="replace")
    for part in HEAD_PARTS.finditer(data[:DECLARED_WITHIN]):
        if part[2] is None:
            if part[0].startswith(b"<!--") or part[1]:
                continue
            return ""  # the head ends
        attributes = {
            name.lower(): double or single or bare
            for name, double, single, bare in ATTRIBUTE.findall(part[2])
        }
        label = attributes.get(b"charset", b"")
        if not label and attributes.get(b"http-equiv", b"").lower() == b"content-type":
            content = CONTENT_CHARSET.search(attributes.get(b"content", b""))
            label = content[1] if content else b""
        if label:
            return label.decode("ascii", errors="replace")
    return ""


def decode_page(data: bytes, encoding: str = "") -> tuple[str, str, list[str]]:
    """Decode a web page: as was chosen, or as it declares, or else as is most probable.

    Returns: the text, the encoding in which it was read, and what a reader should know of it.

    Raises:
        UnreadableError: the bytes are not text.
    """
    label = "" if encoding or data.startswith(tuple(BYTE_ORDER_MARKS)) else declared_label(data)
    declared = web_encoding(label) if label else None
    notes = []
    if declared:
        with suppress(UnicodeDecodeError):
            return data.decode(declared), declared, []
        notes.append(f"the page says that it is in {label}, but it is not, or is damaged")
    elif label:
        notes.append(f"the page says that it is in {label[:40]!r}, which is no encoding")
    try:
        text, found = decode_text(data, encoding)
    except UnreadableError:
        found = declared or "utf-8"
        text = data.decode(found, errors="replace")
        damaged = text.count("\N{REPLACEMENT CHARACTER}")
        if b"\0" in data or damaged > max(1, MAX_DAMAGED * len(text)):
            raise
        notes = [f"characters that are damaged, shown as \N{REPLACEMENT CHARACTER}: {damaged:,}"]
    return text, found, notes


def read_html(data: bytes, options: ReadingOptions = DEFAULTS) -> Document:
    """Return the visible text of a web page, or only its article if it looks like one.

    Raises:
        UnreadableError: the bytes are not text, or the page is nested too deeply or damaged.
    """
    text, encoding, notes = decode_page(data, options.encoding)
    read = article_text(parse_html(text), options.article_only)
    if read.around:
        notes.append(f"menus, footers and the like around the article: {read.around:,} words")
    notes += describe_left_out(read.page.left_out)
    return Document(read.page.text, "web page", encoding, tuple(notes), read.is_article)

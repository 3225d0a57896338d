"""A FictionBook (fb2) → its text."""

import re
from typing import Any

from lxml import etree

from gpt_core.documents.document import DEFAULTS, Document, ReadingOptions, UnreadableError
from gpt_core.documents.encodings import decode_text

LINES = {"p", "v", "subtitle", "text-author", "empty-line", "td", "th"}
BLOCKS = {"title", "section", "stanza", "poem", "cite", "epigraph", "body", "annotation", "table"}


def read_fb2(data: bytes, options: ReadingOptions = DEFAULTS) -> Document:
    """Return the text of a FictionBook: the book, then its notes.

    Raises:
        UnreadableError: the bytes are not text, or there is no book in them.
    """
    text, encoding = decode_text(data, options.encoding)  # which sees the encoding it declares
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)  # it names the encoding of bytes, not of a str
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, recover=True)
    root: Any = etree.fromstring(text.encode(), parser)
    bodies = [] if root is None else list(root.iter("{*}body"))
    pieces: list[str] = []
    for body in bodies:
        walk = etree.iterwalk(body, events=("start", "end"))
        for event, element in walk:
            kind = etree.QName(element).localname if isinstance(element.tag, str) else ""
            if event == "start":
                pieces.append("\n\n" if kind in BLOCKS else "\n" if kind in LINES else "")
                if not kind or (kind == "a" and element.get("type") == "note"):
                    walk.skip_subtree()  # the number of a note
                elif kind not in BLOCKS:
                    pieces.append(re.sub(r"\s+", " ", element.text or ""))
            elif element is not body and etree.QName(element.getparent()).localname not in BLOCKS:
                pieces.append(re.sub(r"\s+", " ", element.tail or ""))
    if not "".join(pieces).strip():
        raise UnreadableError("holds no text, or is damaged: choose another file.")
    lines = (line.strip(" ") for line in "".join(pieces).split("\n"))
    plain = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"
    damage = [entry.line for entry in parser.error_log if entry.level_name == "FATAL"]
    left_out = (f"what is damaged, from line {damage[0]:,} of the file on",) if damage else ()
    return Document(plain, "FictionBook", encoding, left_out)

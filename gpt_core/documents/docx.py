"""A Word file (docx) → its text."""

from io import BytesIO
from typing import Any

import docx
from lxml import etree

from gpt_core.documents.archives import require_plausible_size
from gpt_core.documents.document import Document

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
MARKUP_COMPATIBILITY = "http://schemas.openxmlformats.org/markup-compatibility/2006"


def read_docx(data: bytes) -> Document:
    """Return the text of a Word file: paragraphs, tables, text boxes and insertions.

    Raises:
        UnreadableError: it would unpack to far more than a book.
    """
    require_plausible_size(data)
    body: Any = docx.Document(BytesIO(data)).element.body
    # Duplicates: text boxes for older versions of Word, and moved text at its old place.
    etree.strip_elements(body, f"{{{MARKUP_COMPATIBILITY}}}Fallback", f"{{{WORD}}}moveFrom")
    pieces: list[str] = []
    for element in body.iter(f"{{{WORD}}}*"):  # also in tables, insertions and text boxes
        kind = etree.QName(element).localname
        if kind == "t":
            pieces.append(element.text or "")
        elif kind == "p":
            pieces.append("\n")
        elif kind in ("tab", "br", "cr") and etree.QName(element.getparent()).localname == "r":
            pieces.append("\t" if kind == "tab" else "\n")  # not a tab stop of the paragraph
    return Document("".join(pieces).strip("\n") + "\n", "Word")

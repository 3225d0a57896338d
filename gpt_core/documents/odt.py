"""An OpenDocument text (odt, ott, fodt) → its text."""

import zipfile
from io import BytesIO
from typing import Any

from lxml import etree

from gpt_core.documents.archives import require_plausible_size
from gpt_core.documents.document import Document, UnreadableError

NOT_TEXT = {
    *(
        "tracked-changes",
        "annotation",
        "annotation-end",
        "note-citation",
        "hidden-text",
        "ruby-text",
    ),
    *("title", "desc", "forms", "sequence-decls", "variable-decls", "user-field-decls", "scripts"),
}


def read_odt(data: bytes) -> Document:
    """Return the text of an OpenDocument text: paragraphs, tables, text boxes, and last the notes.

    Raises:
        UnreadableError: it has a password, or would unpack to far more than a book.
    """
    if data.startswith(b"PK"):
        require_plausible_size(data)
        with zipfile.ZipFile(BytesIO(data)) as archive:
            manifest = "META-INF/manifest.xml"
            if manifest in archive.namelist() and b"encryption-data" in archive.read(manifest):
                raise UnreadableError(
                    "is protected by a password: open it in LibreOffice, save it without one, and "
                    "upload that."
                )
            data = archive.read("content.xml")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    root = etree.fromstring(data.strip(), parser)
    [body, *_] = root.iter("{*}text")  # office:text, the first of this name
    pieces: list[str] = []
    notes: list[str] = []
    _add_text(body, pieces, notes)
    text = "".join(pieces).strip("\n") + "\n"
    if notes:
        text += "\n" + "\n".join(note.strip() for note in notes) + "\n"
    return Document(text, "OpenDocument")


def _add_text(body: Any, pieces: list[str], notes: list[str]) -> None:
    """Append the text below an element to the pieces, and that of its notes to the notes."""
    walk = etree.iterwalk(body, events=("start", "end"))
    for event, element in walk:
        kind = etree.QName(element).localname if isinstance(element.tag, str) else ""
        if event == "end":
            if element is not body:
                pieces.append(element.tail or "")
            continue
        if kind in NOT_TEXT or not kind:
            walk.skip_subtree()
        elif kind == "note":
            walk.skip_subtree()
            note: list[str] = []
            for content in element.iter("{*}note-body"):
                _add_text(content, note, notes)
            notes.append("".join(note))
        elif kind in ("p", "h"):
            pieces.append("\n" + (element.text or ""))
        elif kind == "s":
            pieces.append(" " * min(int(element.get(_attribute(element, "c"), "1")), 1000))
        elif kind in ("tab", "line-break"):
            pieces.append("\t" if kind == "tab" else "\n")
        else:
            pieces.append(element.text or "")


def _attribute(element: Any, name: str) -> str:
    return f"{{{etree.QName(element).namespace}}}{name}"

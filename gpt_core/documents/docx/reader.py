"""A Word file (docx, docm, dotx) → its text, read part by part without building trees.

Text boxes come after the paragraph that they belong to, notes at the end. Headers and footers are
not part of the text. What the file refers to but does not hold is not missed.
"""

import zipfile
from collections import Counter
from io import BytesIO
from posixpath import dirname, normpath
from posixpath import join as join_path

from gpt_core.documents.archives import require_plausible_size
from gpt_core.documents.document import Document, UnreadableError
from gpt_core.documents.docx.parts import Relationships, Styles, read_lesser_part, read_part
from gpt_core.documents.docx.text import PartText

NOTES = ("footnotes", "endnotes")


def read_docx(data: bytes) -> Document:
    """Return the text of a Word file: paragraphs, tables, text boxes, formulas, notes at the end.

    Raises:
        UnreadableError: it is no Word file, holds no text, or is far more than a book.
    """
    require_plausible_size(data)
    with zipfile.ZipFile(BytesIO(data)) as archive:
        names = {name.casefold(): name for name in archive.namelist()}

        def related(name: str) -> dict[str, str]:
            """Return the names of the parts that a part refers to, by type."""
            folder, _, file = name.rpartition("/")
            links = names.get(f"{folder}/_rels/{file}.rels".lstrip("/").casefold())
            parts: dict[str, str] = {}
            for kind, target in read_lesser_part(archive, links, Relationships()).targets.items():
                place = normpath(join_path(dirname(name), target)).lstrip("/").casefold()
                if place in names:
                    parts[kind] = names[place]
            return parts

        main = related("").get("officeDocument") or names.get("word/document.xml")
        parts = related(main) if main else {}
        hidden = read_lesser_part(archive, parts.get("styles"), Styles()).hidden()
        body = read_part(archive, main, PartText(hidden))
        if body.root != "w:document":
            raise UnreadableError(
                "is damaged, or no Word file: open it in the program it comes from, save it again "
                "or as plain text, and upload that."
            )
        texts, counts = [body.text().strip("\n")], Counter(body.counts)
        for kind in NOTES:
            notes = read_lesser_part(archive, parts.get(kind), PartText(hidden))
            references = dict.fromkeys(body.references[kind])
            found = [notes.notes[id].strip() for id in references if id in notes.notes]
            texts.append("\n".join(filter(None, found)))
            counts[f"{kind}, which are at the end of the text"] = len(found)
            counts[f"{kind} that are missing"] = len(references) - len(found)
            counts.update(notes.counts)
    text = "\n\n".join(filter(None, texts))
    if not text.strip():
        raise UnreadableError(
            "holds no text, perhaps only pictures: run text recognition (OCR) on them, or find the "
            "text in another form."
        )
    phrases = tuple(f"{kind}: {count:,}" for kind, count in counts.items() if count)
    return Document(text + "\n", "Word", left_out=phrases)

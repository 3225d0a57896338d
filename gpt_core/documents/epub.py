"""An EPUB → its chapters in reading order; what cannot be read is named, and the rest is read."""

import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable
from io import BytesIO
from posixpath import dirname, normpath
from posixpath import join as join_path
from typing import Any
from urllib.parse import unquote, urldefrag

from lxml import etree

from gpt_core.documents.archives import require_plausible_size
from gpt_core.documents.document import Document, UnreadableError
from gpt_core.documents.html import (
    decode_page,
    describe_left_out,
    parse_xhtml,
    parse_xml,
    visible_text,
)

# Kinds of what is left out of a book.
UNLISTED = "chapters that are not in the book's list of files"
MISSING = "chapters whose file is not in the book"
NOT_TEXT = "pictures and other files that hold no text"
DAMAGED = "chapters that are damaged and cannot be read"
CONTENTS = "the list of contents"
WITHOUT_TEXT = "pages without text"
UNORDERED = "pages that are not in the reading order"
MAX_NAMED, MAX_NAME = 3, 80  # files that are named in one phrase, characters of their names
NOT_TEXT_TYPES = ("image/", "audio/", "video/", "font/", "text/css", "text/javascript")
PAGE_TYPES = ("application/xhtml+xml", "text/html")


class _Book:
    """The files of an EPUB, found as reading systems find them: also if spelt differently."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names: dict[str, str] = {}
        for name in archive.namelist():
            for spelling in _spellings(name):
                self._names.setdefault(spelling, name)
        self.left_out: dict[str, list[str]] = {}  # by kind
        self.notes: list[str] = []
        self.counts = Counter[str]()

    def find(self, path: str, folder: str = "") -> str | None:
        """Return the name of the file that a path, relative to a folder, means; None if none."""
        path = urldefrag(path.strip()).url.replace("\\", "/")
        for spelling in (path, unquote(path)):
            for place in _spellings(normpath(join_path(folder, spelling)).lstrip("/")):
                if place in self._names:
                    return self._names[place]
        return None

    def tree(self, name: str) -> Any:
        """Return the tree of an XML file; mistakes are overlooked, and nonsense is an empty one."""
        try:
            return parse_xml(decode_page(self._archive.read(name))[0], recover=True)
        except (UnreadableError, etree.XMLSyntaxError):
            return etree.Element("nothing")

    def leave_out(self, kind: str, name: str) -> None:
        self.left_out.setdefault(kind, []).append(name[:MAX_NAME])

    def chapter_text(self, name: str) -> str:
        """Return a chapter's text, "" if it is left out, which is noted."""
        try:
            data = self._archive.read(name)
            if not data.strip():
                self.leave_out(WITHOUT_TEXT, name)
                return ""
            page, _, notes = decode_page(data)
            text = visible_text(parse_xhtml(page))
        except MemoryError:
            raise
        except UnreadableError:
            self.leave_out(NOT_TEXT if b"\0" in data else DAMAGED, name)
            return ""
        except Exception:  # whatever zipfile and lxml raise on damaged files
            self.leave_out(DAMAGED, name)
            return ""
        self.notes += [f"{name[:MAX_NAME]}: {note}" for note in notes]
        self.counts += text.left_out
        if not text.text.strip():
            self.leave_out(WITHOUT_TEXT, name)
        return text.text.strip("\n")

    def describe_left_out(self) -> Iterable[str]:
        """Return phrases that say what was left out of the book."""
        for kind, names in self.left_out.items():
            if kind == CONTENTS:
                yield kind
            elif kind in (WITHOUT_TEXT, UNORDERED):
                yield f"{kind}: {len(names):,}"
            else:
                more = len(names) - MAX_NAMED
                yield f"{kind}: {', '.join(names[:MAX_NAMED])}" + (
                    f" and {more:,} more" if more > 0 else ""
                )
        yield from self.notes[:MAX_NAMED]
        if len(self.notes) > MAX_NAMED:
            yield f"the same in {len(self.notes) - MAX_NAMED:,} more chapters"
        yield from describe_left_out(self.counts)


def read_epub(data: bytes) -> Document:
    """Return the text of an EPUB: its chapters, each once, in reading order.

    Chapters that are empty, missing or damaged are left out. So is the list of contents; what is
    beside the main text (linear="no"), such as notes, is not.

    Raises:
        UnreadableError: it is copy-protected, holds no text, or would unpack to far more than a
            book.
    """
    require_plausible_size(data)
    with zipfile.ZipFile(BytesIO(data)) as archive:
        book = _Book(archive)
        chapters = _chapters(book, archive.namelist())
        if "META-INF/encryption.xml" in archive.namelist():  # it may list only fonts
            places = book.tree("META-INF/encryption.xml").iter("cipherreference")
            if {book.find(place.get("URI", "")) for place in places} & set(chapters):
                raise UnreadableError("is copy-protected (DRM): its text cannot be read.")
        texts = [book.chapter_text(chapter) for chapter in chapters]
    text = "\n\n".join(filter(None, texts))
    if not text.strip():
        raise UnreadableError(
            "holds no text: its chapters are empty, missing or pictures. Open it in an e-book "
            "reader; if that shows its text, save it again or as plain text, and upload that."
        )
    return Document(text + "\n", "EPUB", left_out=tuple(book.describe_left_out()))


def _chapters(book: _Book, names: list[str]) -> list[str]:
    """Return the names of the files that hold the book's text, in reading order."""
    container = book.find("META-INF/container.xml")
    roots = book.tree(container).iter("rootfile") if container else ()
    packages = [book.find(root.get("full-path", "")) for root in roots]
    packages += [name for name in names if name.lower().endswith(".opf")]
    package_name = next(filter(None, packages), None)
    if package_name is None:
        raise UnreadableError(
            "is damaged, or no EPUB: it does not say which files are its chapters. Open it in an "
            "e-book reader, save it again or as plain text, and upload that."
        )
    package = book.tree(package_name)
    items: dict[str, Any] = {}
    for item in package.iter("item"):
        items.setdefault(item.get("id", ""), item)
    references = [reference.get("idref", "") for reference in package.iter("itemref")]
    if not references:
        book.notes.append("the book gives no reading order: its pages are in the order of its list")
        references = [id for id, item in items.items() if item.get("media-type") in PAGE_TYPES]
    chapters: dict[str, None] = {}
    for reference in dict.fromkeys(references):
        item = items.get(reference)
        if item is None:
            book.leave_out(UNLISTED, reference)
            continue
        path = item.get("href", "")
        name = book.find(path, dirname(package_name))
        if "nav" in item.get("properties", "").split():
            book.leave_out(CONTENTS, path)
        elif name is None:
            book.leave_out(MISSING, path)
        elif item.get("media-type", "").startswith(NOT_TEXT_TYPES):
            book.leave_out(NOT_TEXT, name)
        else:
            chapters[name] = None
    for item in set(items.values()) - {items.get(reference) for reference in references}:
        is_page = item.get("media-type") in PAGE_TYPES
        if is_page and "nav" not in item.get("properties", "").split():
            name = book.find(item.get("href", ""), dirname(package_name))
            if name is not None and name not in chapters:
                book.leave_out(UNORDERED, name)
    return list(chapters)


def _spellings(name: str) -> tuple[str, str]:
    """Return a file's name, and as it compares with another spelling of it."""
    return name, unicodedata.normalize("NFC", name).casefold()

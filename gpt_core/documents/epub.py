"""An EPUB → its chapters in reading order."""

import zipfile
from io import BytesIO
from posixpath import dirname, normpath
from posixpath import join as join_path
from typing import Any
from urllib.parse import unquote

from lxml import etree

from gpt_core.documents.archives import require_plausible_size
from gpt_core.documents.document import Document, UnreadableError
from gpt_core.documents.html import read_html


def read_epub(data: bytes) -> Document:
    """Return the text of an EPUB: its chapters, each once, in reading order.

    Raises:
        UnreadableError: it is copy-protected, or would unpack to far more than a book.
    """
    require_plausible_size(data)
    with zipfile.ZipFile(BytesIO(data)) as book:
        names = set(book.namelist())
        package_name = _elements(book, "META-INF/container.xml", "rootfile")[0].get("full-path", "")
        files = {
            item.get("id"): normpath(
                join_path(dirname(package_name), unquote(item.get("href", "")))
            )
            for item in _elements(book, package_name, "item")
        }
        references = _elements(book, package_name, "itemref")  # in reading order
        chapters = dict.fromkeys(files[reference.get("idref")] for reference in references)
        locked: set[str] = set()
        if "META-INF/encryption.xml" in names:  # it may list only fonts
            places = _elements(book, "META-INF/encryption.xml", "CipherReference")
            locked = {unquote(place.get("URI", "")) for place in places}
        if "META-INF/rights.xml" in names or locked & set(chapters):
            raise UnreadableError("is copy-protected (DRM): its text cannot be read.")
        texts = [read_html(book.read(chapter)).text.strip() for chapter in chapters]
    return Document("\n\n".join(filter(None, texts)) + "\n", "EPUB")


def _elements(book: zipfile.ZipFile, path: str, name: str) -> list[Any]:
    """Return the elements with this name in an XML file of the book, in any namespace."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return list(etree.fromstring(book.read(path), parser).iter(f"{{*}}{name}"))


def is_epub(data: bytes, suffix: str) -> bool:
    """Tell whether an archive is an EPUB; if it is damaged, its suffix decides."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return "META-INF/container.xml" in archive.namelist()
    except Exception:  # it is damaged: reading it reports that
        return suffix == "epub"

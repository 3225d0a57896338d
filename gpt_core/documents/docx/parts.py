"""The parts of a Word file's archive, read as a stream: no tree of a hostile part is built."""

import zipfile
import zlib
from contextlib import suppress
from typing import Any, TypeVar

from lxml import etree

from gpt_core.documents.document import UnreadableError

MAX_ELEMENTS = 5_000_000  # of one part; a Bible with its formatting has far fewer
CHUNK = 2**16  # bytes that the parser is fed at a time
OFF = ("0", "false", "off")
# Both forms of Office Open XML, transitional and strict.
NAMESPACES = {
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main": "w:",
    "http://purl.oclc.org/ooxml/wordprocessingml/main": "w:",
    "http://schemas.openxmlformats.org/officeDocument/2006/math": "m:",
    "http://purl.oclc.org/ooxml/officeDocument/math": "m:",
    "http://schemas.openxmlformats.org/markup-compatibility/2006": "mc:",
}


def short_name(name: str) -> str:
    """Return the name of an element or attribute with the usual prefix of its namespace."""
    namespace, _, local = name.rpartition("}")
    return NAMESPACES.get(namespace[1:], "") + local


class PartReader:
    """What reads a part: the parser tells it of each element and text."""

    def __init__(self) -> None:
        self._elements = 0

    def start(self, tag: str, attributes: Any) -> None:
        """Begin an element.

        Raises:
            UnreadableError: there are more than in any book.
        """
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise UnreadableError(
                "is far larger than a book: save its text as plain text, and upload that."
            )

    def end(self, tag: str) -> None:
        """End an element."""

    def data(self, text: str) -> None:
        """Take a piece of text."""

    def close(self) -> None:
        """End the part."""


Reader = TypeVar("Reader", bound=PartReader)


def read_part(archive: zipfile.ZipFile, name: str | None, reader: Reader) -> Reader:
    """Let a reader read a part, and return it; a part that is not there leaves it as it is.

    Raises:
        lxml.etree.XMLSyntaxError, zipfile.BadZipFile: the part is damaged.
        UnreadableError: it is far more than a book.
    """
    if name is not None:
        parser = etree.XMLParser(
            target=reader, resolve_entities=False, no_network=True, load_dtd=False
        )
        with archive.open(name) as part:
            while chunk := part.read(CHUNK):
                parser.feed(chunk)
        parser.close()
    return reader


def read_lesser_part(archive: zipfile.ZipFile, name: str | None, reader: Reader) -> Reader:
    """Let a reader read a part without which the text can be read; it may be damaged."""
    with suppress(etree.XMLSyntaxError, zipfile.BadZipFile, zlib.error):
        read_part(archive, name, reader)
    return reader


class Relationships(PartReader):
    """Collects the parts that a part refers to: the last one of each type."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: dict[str, str] = {}

    def start(self, tag: str, attributes: Any) -> None:
        """Begin an element."""
        super().start(tag, attributes)
        if tag.endswith("}Relationship") and attributes.get("TargetMode") != "External":
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.targets[kind] = attributes.get("Target", "")


class Styles(PartReader):
    """Collects the styles whose text is hidden, by themselves or by the style they build on."""

    def __init__(self) -> None:
        super().__init__()
        self._style = ""
        self._vanish: dict[str, bool] = {}
        self._based_on: dict[str, str] = {}

    def start(self, tag: str, attributes: Any) -> None:
        """Begin an element."""
        super().start(tag, attributes)
        name = short_name(tag)
        values = {short_name(key): value for key, value in attributes.items()}
        if name == "w:style":
            self._style = values.get("w:styleId", "")
        elif name == "w:vanish" and self._style:
            self._vanish[self._style] = values.get("w:val") not in OFF
        elif name == "w:basedOn" and self._style:
            self._based_on[self._style] = values.get("w:val", "")

    def end(self, tag: str) -> None:
        """End an element."""
        if short_name(tag) == "w:style":
            self._style = ""

    def hidden(self) -> set[str]:
        """Return the ids of the styles whose text is hidden."""
        return {style for style in {*self._vanish, *self._based_on} if self._is_hidden(style)}

    def _is_hidden(self, style: str) -> bool:
        for _ in range(20):  # styles may build on each other in a circle
            if style in self._vanish:
                return self._vanish[style]
            style = self._based_on.get(style, "")
        return False

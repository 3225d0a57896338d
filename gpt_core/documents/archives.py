"""The texts in a ZIP or a gzip file, and protection against archives that unpack to a lot."""

import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from posixpath import basename

from gpt_core.documents.document import END_OF_TEXT, Document, UnreadableError
from gpt_core.system import count

MAX_UNPACKED_BYTES = 400 * 2**20  # more than any book
MAX_UNPACKED_RATIO = 200  # text compresses to a third or a tenth, not to a thousandth
MAX_MEMBERS = 2000  # of a ZIP of texts
MAX_CHARACTERS = 100_000_000  # of all texts in a ZIP, which may hold archives
MAX_LISTED = 3  # names in a list of what was left out


def max_unpacked_bytes(packed: int) -> int:
    """Return to how many bytes a file of so many may unpack."""
    return min(MAX_UNPACKED_BYTES, max(2**22, MAX_UNPACKED_RATIO * packed))


def require_plausible_size(data: bytes) -> None:
    """Refuse an archive that declares too large a size; zipfile never reads beyond that size.

    Raises:
        UnreadableError: the declared size is more than any book's.
    """
    with zipfile.ZipFile(BytesIO(data)) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > max_unpacked_bytes(len(data)):
        raise UnreadableError(
            f"would unpack to {unpacked / 2**20:,.0f} MB, from {len(data) / 2**20:.1f} MB: that "
            "is far more than a book. Save the text as plain text, and upload that."
        )


def unpack_gzip(data: bytes) -> bytes:
    """Return what a gzip file holds.

    Raises:
        UnreadableError: it is cut off, or holds far more than a book.
        zlib.error: it is damaged.
    """
    most = max_unpacked_bytes(len(data))
    unpacked = bytearray()
    while data:  # there may be several, one after another
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        unpacked += unpacker.decompress(data, most - len(unpacked) + 1)
        if len(unpacked) > most:
            raise UnreadableError(
                f"would unpack to more than {most / 2**20:,.0f} MB: that is far more than a book."
            )
        if not unpacker.eof:
            raise UnreadableError("is cut off: its end is missing. Download it again.")
        data = unpacker.unused_data.lstrip(b"\0")
    return bytes(unpacked)


def read_zip(data: bytes, read: Callable[[str, bytes], Document | None]) -> Document:
    """Return the texts in a ZIP, one after another, with the end-of-text token between two.

    Args:
        data: the ZIP.
        read: reads one file by its name and bytes; None if it is of a kind that holds no text.

    Raises:
        UnreadableError: there is no text in it, or far more than a book.
    """
    require_plausible_size(data)
    documents: list[Document] = []
    other: list[str] = []
    unread: list[str] = []
    characters = 0
    with zipfile.ZipFile(BytesIO(data)) as archive:
        entries = [entry for entry in archive.infolist() if not _is_hidden(entry)]
        if len(entries) > MAX_MEMBERS:
            raise UnreadableError(
                f"holds {len(entries):,} files, more than {MAX_MEMBERS:,}: upload a part of them."
            )
        if entries and all(entry.flag_bits & 1 for entry in entries):
            raise UnreadableError("is protected by a password: unpack it, and upload its texts.")
        for entry in entries:
            name = basename(entry.filename)
            try:
                document = read(name, archive.read(entry))
            except MemoryError:
                raise
            except Exception:  # damaged, locked, or packed in a way that Python cannot unpack
                unread.append(name)
                continue
            if document is None:
                other.append(name)
            elif document.text.strip():
                documents.append(document)
                characters += len(document.text)
            if characters > MAX_CHARACTERS:
                raise UnreadableError("holds more text than any book: upload a part of it.")
    if not documents:
        listed = f" ({_listed(other + unread)})" if other or unread else ""
        raise UnreadableError(
            f"is a ZIP without a text that can be read{listed}: unpack it, and upload its texts."
        )
    counted = ((unread, "that cannot be read"), (other, "that is no text"))
    left_out = [f"{_listed(names)}, {why}" for names, why in counted if names]
    if len(documents) == 1:
        left_out += documents[0].left_out
    else:
        left_out += _added_up(documents)
    encodings = {document.encoding for document in documents}
    return Document(
        END_OF_TEXT.join(document.text for document in documents),
        f"ZIP of {len(documents):,} texts" if len(documents) > 1 else documents[0].format,
        encodings.pop() if len(encodings) == 1 else "",
        tuple(left_out),
    )


def _is_hidden(entry: zipfile.ZipInfo) -> bool:
    """Tell whether an entry is a folder, or one of the files that systems add."""
    parts = entry.filename.split("/")
    hidden = any(part.startswith(".") for part in parts[:-1] if part not in (".", ".."))
    return entry.is_dir() or hidden or "__MACOSX" in parts or parts[-1].startswith(".")


def _listed(names: list[str]) -> str:
    """Return the first names, shortened, and how many more there are."""
    listed = ", ".join(name[:40] for name in names[:MAX_LISTED])
    more = f" and {len(names) - MAX_LISTED:,} more" if len(names) > MAX_LISTED else ""
    return f"{count(len(names), 'file')}: {listed}{more}"


def _added_up(documents: list[Document]) -> list[str]:
    """Return what was left out of several documents, with how many of them it concerns."""
    notes: dict[str, int] = {}
    for document in documents:
        for note in document.left_out:
            kind = note.partition(":")[0]
            notes[kind] = notes.get(kind, 0) + 1
    return [f"{kind} (in {files:,} files)" if files > 1 else kind for kind, files in notes.items()]

"""TextFile: a text that is too large for memory, read from its file piece by piece."""

import codecs
import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias

from gpt_core.documents import PLAIN_TYPES
from gpt_core.store import MAX_TEXT_BYTES, Run, RunStore
from gpt_core.text.corpus import Corpus, readable_name
from gpt_core.text.uploads import max_upload_bytes, read_text_file
from gpt_core.vocabularies import text_pieces

BLOCK = 2**20  # bytes that are read at a time
MAX_PIECE = 16_000_000  # characters without a place for a cut

Marks: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class TextFile:
    """A UTF-8 file as a text: a span, ``text[start:end]``, and :meth:`pieces` read a part of it.

    It takes the place of a :class:`Corpus`. Its characters are those of the file, line endings
    included.
    """

    name: str
    path: Path
    sha256: str
    modified: int  # in nanoseconds: it must not change while it is read
    marks: Marks = field(repr=False)  # (characters, bytes) before each block, and of the whole file

    @property
    def text(self) -> "TextFile":
        """Return itself, which a corpus's text is here."""
        return self

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        return self.marks[-1][1]

    def __len__(self) -> int:
        return self.marks[-1][0]

    def __getitem__(self, span: slice) -> str:
        start, end, _ = span.indices(len(self))
        return "".join(self._read(start, end))

    def pieces(self, start: int, end: int) -> Iterator[str]:
        """Yield the text between two characters in pieces, such that no token crosses a cut.

        Raises:
            ValueError: the file was changed since it was opened, or has no place for a cut.
        """
        text = ""
        for block in self._read(start, end):
            text += block
            *spans, (rest, _) = text_pieces(text)
            yield from (text[first:last] for first, last in spans)
            text = text[rest:]
            if len(text) > MAX_PIECE:
                raise ValueError(
                    f"{self.path} has {MAX_PIECE:,} characters without a line break or two words: "
                    "break its lines."
                )
        yield text

    def offset(self, character: int) -> int:
        """Return the byte at which a character begins."""
        before = bisect_right(self.marks, character, key=itemgetter(0)) - 1
        characters, first = self.marks[before]
        if characters == character:
            return first
        block = b"".join(self._bytes(first, self.marks[before + 1][1]))
        return first + len(block.decode("utf-8")[: character - characters].encode("utf-8"))

    def _read(self, start: int, end: int) -> Iterator[str]:
        """Yield the text between two characters, a block at a time."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        yield from map(decoder.decode, self._bytes(self.offset(start), self.offset(end)))

    def _bytes(self, first: int, last: int) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                file.seek(first)
                for at in range(first, last, BLOCK):
                    yield file.read(min(BLOCK, last - at))
            modified = self.path.stat().st_mtime_ns
        except OSError as error:
            raise ValueError(f"{self.path} cannot be read: {error.strerror}.") from error
        if modified != self.modified:
            raise ValueError(f"{self.path} was changed while it was read: start the run again.")


def open_text(path: Path) -> Corpus | TextFile:
    """Return the text of a file; a plain text that is larger than an upload stays in its file.

    Raises:
        ValueError: the file cannot be read, is too large for its format, or holds no text.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if suffix in ("", *PLAIN_TYPES) and path.stat().st_size > max_upload_bytes():
        return open_text_file(path, readable_name(path.name))
    return read_text_file(path)


def run_text(store: RunStore, run: Run) -> Corpus | TextFile:
    """Return the text of a run.

    Raises:
        ValueError: it is missing or damaged.
    """
    path = store.text_path(run.text_sha256)
    if path.exists() and path.stat().st_size > MAX_TEXT_BYTES:
        text = open_text_file(path, run.text_name)
        if text.sha256 == run.text_sha256:
            return text
        raise ValueError(f"The text that the run was trained on is damaged: {path}.")
    return Corpus(run.text_name, store.text(run.text_sha256))


def open_text_file(path: Path, name: str) -> TextFile:
    """Open a UTF-8 file as a text: it is read once, checked and hashed.

    Raises:
        ValueError: the file cannot be read, or is no text in UTF-8.
    """
    try:
        modified = path.stat().st_mtime_ns
        sha256, marks = _survey(path, modified)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    return TextFile(name, path, sha256, modified, marks)


@lru_cache(maxsize=8)  # a second for each gigabyte
def _survey(path: Path, modified: int) -> tuple[str, Marks]:
    """Return the hash of a file as it was when it was modified last, and its marks.

    Raises:
        ValueError: the file is no text in UTF-8.
    """
    digest, decoder = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
    characters = size = 0
    marks = [(0, 0)]
    with path.open("rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
            try:
                characters += len(decoder.decode(block))
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{path} is not in UTF-8, as a text of this size must be (near byte "
                    f"{size + error.start:,}): convert it, for example with iconv -t UTF-8."
                ) from error
            if b"\0" in block:
                raise ValueError(f"{path} is not a text: it holds NUL characters.")
            size += len(block)
            marks.append((characters, size - len(decoder.getstate()[0])))
    if marks[-1][1] < size:
        raise ValueError(f"{path} ends within a character: it was cut off. Copy it again.")
    return digest.hexdigest(), tuple(marks)

"""TokenCache: a long text's token IDs and vocabulary on disk, so that they are made once.

The files of token IDs are mapped into memory, not read: the system loads the pages that a run
touches, drops them when memory is short, and shares them among the processes that train on them.
"""

import os
import threading
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import filelock
import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.utils.dlpack import from_dlpack

WORTH_KEEPING = 100_000  # tokens; fewer are quick to encode again
MAX_BYTES = 2 * 2**30  # of all files; the least recently used are removed first
BLOCK, MAX_BLOCKS = 2**20, 64  # bytes of a block, and blocks of a file that are checked

Ids = npt.NDArray[np.integer]


class TokenCache:
    """Token IDs and vocabularies on disk, by the text's hash and by how it was split and encoded.

    What cannot be read or written is made again, without an error.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, text_sha256: str, part: str, encode: Callable[[], Tensor]) -> Tensor:
        """Return the IDs (N,) of a part of a text: from disk, which is read-only, or encoded now.

        They are integers of 32 or, in a file of :meth:`get_large`, 16 bits.

        Args:
            text_sha256: the whole text's hash.
            part: which part of the text, and how it is encoded, as part of a file name.
            encode: returns the IDs if they are not cached.
        """
        name = f"{text_sha256}-{part}"
        kept = self._find(name)
        if kept is None:
            encoded = encode()  # (N,)
            if len(encoded) < WORTH_KEEPING:
                return encoded
            try:
                return _map(self._save_ids(name, [encoded.numpy()], np.dtype(np.int32)))
            except OSError:  # a full disk must not prevent training
                return encoded
        return kept

    def get_large(
        self,
        text_sha256: str,
        part: str,
        encode: Callable[[], Iterable[Ids]],
        dtype: type[np.integer],
    ) -> Tensor:
        """Return the IDs (N,) of a part of a text that is too large for memory.

        Of several processes that ask for the same, one encodes and the others wait.

        Args:
            text_sha256: the whole text's hash.
            part: which part of the text, and how it is encoded, as part of a file name.
            encode: yields the IDs in parts, which are written as they come.
            dtype: NumPy's type of the IDs in the file.

        Raises:
            ValueError: the disk is full or cannot be written.
        """
        name = f"{text_sha256}-{part}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(self._folder / f"{name}.lock"):
                kept = self._find(name)
                if kept is not None:
                    return kept
                for left in self._folder.glob(f"{name}.*.part"):  # of a process that was killed
                    left.unlink(missing_ok=True)
                return _map(self._save_ids(name, encode(), np.dtype(dtype)))
        except OSError as error:
            raise ValueError(
                f"The text's tokens cannot be written to {self._folder}: {error.strerror}."
            ) from error

    def get_vocabulary(self, text_sha256: str, part: str, learn: Callable[[], str]) -> str:
        """Return a vocabulary that is learnt from a text: from disk, or learnt now.

        Args:
            text_sha256: the whole text's hash.
            part: what is learnt from which part of the text, as part of a file name.
            learn: returns the vocabulary if it is not cached.
        """
        name = f"{text_sha256}-{part}"
        for path in self._folder.glob(f"{name}-crc*.json"):
            with suppress(OSError, UnicodeDecodeError):
                if path.name == f"{name}-crc{_checksum(path):08x}.json":
                    os.utime(path)
                    return path.read_bytes().decode()
            with suppress(OSError):
                path.unlink()
        vocabulary = learn()
        with suppress(OSError):  # a full disk must not prevent training
            self._save(name, "json", lambda file: file.write(vocabulary.encode()))
        return vocabulary

    def forget(self, text_sha256: str) -> None:
        """Remove all that is cached of a text."""
        for path in self._folder.glob(f"{text_sha256}-*"):
            with suppress(OSError):  # Windows does not delete mapped files
                path.unlink(missing_ok=True)

    def _find(self, name: str) -> Tensor | None:
        """Return the IDs in a file, mapped; None if there is none, or only a damaged one."""
        for path in self._folder.glob(f"{name}-crc*.npy"):
            with suppress(OSError, ValueError, EOFError):
                if path.name == f"{name}-crc{_checksum(path):08x}.npy":
                    os.utime(path)
                    return _map(path)
            with suppress(OSError):
                path.unlink()
        return None

    def _save_ids(self, name: str, parts: Iterable[Ids], dtype: np.dtype[np.integer]) -> Path:
        """Write IDs as they come; NumPy's header leaves room for their number, known at the end."""

        def write_header(file: BinaryIO, length: int) -> None:
            header = {"descr": dtype.str, "fortran_order": False, "shape": (length,)}
            np.lib.format.write_array_header_1_0(file, header)

        def write(file: BinaryIO) -> None:
            write_header(file, 0)
            length = 0
            for part in parts:
                file.write(part.astype(dtype, copy=False).data)
                length += len(part)
            file.seek(0)
            write_header(file, length)

        return self._save(name, "npy", write)

    def _save(self, name: str, suffix: str, write: Callable[[BinaryIO], object]) -> Path:
        """Write a file that is whole or absent, under a name with its checksum."""
        part = self._folder / f"{name}.{os.getpid()}.{threading.get_ident()}.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            path = self._folder / f"{name}-crc{_checksum(part):08x}.{suffix}"
            part.replace(path)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        self._remove_least_used()
        return path

    def _remove_least_used(self) -> None:
        with suppress(OSError):
            kept = [path for s in ("npy", "json") for path in self._folder.glob(f"*.{s}")]
            kept.sort(key=lambda path: path.stat().st_mtime)
            excess = sum(path.stat().st_size for path in kept) - MAX_BYTES
            for oldest in kept[:-2]:  # the last two may be the parts of one text, however large
                if excess <= 0:
                    break
                excess -= oldest.stat().st_size
                oldest.unlink(missing_ok=True)


def token_cache_in(runs_dir: Path) -> TokenCache:
    """Return the token cache of a runs directory."""
    return TokenCache(runs_dir / "tokens")


def _map(path: Path) -> Tensor:
    """Return the IDs in a file, (N,), mapped into memory, where nothing may write to them."""
    return from_dlpack(np.load(path, mmap_mode="r"))


def _checksum(path: Path) -> int:
    """Return the CRC of a file's size and of its bytes or, of one above 64 MB, of 64 blocks.

    No run waits until 20 GB are read again: a file has its name only once it is all on the disk,
    and what a disk loses of one are whole blocks.
    """
    size = path.stat().st_size
    crc = zlib.crc32(str(size).encode())
    last = max(0, size - BLOCK)
    step = BLOCK if size <= MAX_BLOCKS * BLOCK else last // (MAX_BLOCKS - 1)
    with path.open("rb") as file:
        for start in (*range(0, last, step), last):
            file.seek(start)
            crc = zlib.crc32(file.read(BLOCK), crc)
    return crc

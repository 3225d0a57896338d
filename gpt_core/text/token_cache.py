"""TokenCache: a long text's token IDs and vocabulary on disk, so that they are made once."""

import os
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

WORTH_KEEPING = 100_000  # tokens; fewer are quick to encode again
MAX_BYTES = 2 * 2**30  # of all files; the least recently used are removed first


class TokenCache:
    """Token IDs and vocabularies on disk, by the text's hash and by how it was split and encoded.

    What cannot be read or written is made again, without an error.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, text_sha256: str, part: str, encode: Callable[[], Tensor]) -> Tensor:
        """Return the IDs (N,), int32, of a part of a text: from disk, or encoded now.

        Args:
            text_sha256: the whole text's hash.
            part: which part of the text, and how it is encoded, as part of a file name.
            encode: returns the IDs if they are not cached.
        """
        name = f"{text_sha256}-{part}"
        for path in self._folder.glob(f"{name}-crc*.npy"):
            with suppress(OSError, ValueError, EOFError):
                token_ids = np.load(path)
                if path.name == _file_name(name, token_ids.tobytes()):  # otherwise it is damaged
                    os.utime(path)
                    return torch.from_numpy(token_ids)  # (N,)
            with suppress(OSError):
                path.unlink()
        encoded = encode()  # (N,)
        if len(encoded) >= WORTH_KEEPING:
            token_ids = encoded.numpy()
            path = self._folder / _file_name(name, token_ids.tobytes())
            self._write(path, lambda file: np.save(file, token_ids))
        return encoded

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
                vocabulary = path.read_bytes().decode()
                if path.name == _file_name(name, vocabulary.encode(), "json"):
                    os.utime(path)
                    return vocabulary
            with suppress(OSError):
                path.unlink()
        vocabulary = learn()
        data = vocabulary.encode()
        self._write(self._folder / _file_name(name, data, "json"), lambda file: file.write(data))
        return vocabulary

    def forget(self, text_sha256: str) -> None:
        """Remove all that is cached of a text."""
        for path in self._files(f"{text_sha256}-*"):
            path.unlink(missing_ok=True)

    def _files(self, pattern: str) -> list[Path]:
        """Return the files whose names, but for the suffix, match a pattern."""
        return [path for s in ("npy", "json") for path in self._folder.glob(f"{pattern}.{s}")]

    def _write(self, path: Path, write: Callable[[BinaryIO], object]) -> None:
        part = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                write(file)
            part.replace(path)
            files = sorted(self._files("*"), key=lambda p: p.stat().st_mtime)
            excess = sum(p.stat().st_size for p in files) - MAX_BYTES
            for old in files[:-1]:  # the oldest first, never the one just written
                if excess <= 0:
                    break
                excess -= old.stat().st_size
                old.unlink(missing_ok=True)
        except OSError:  # a full disk must not prevent training
            with suppress(OSError):
                part.unlink()


def token_cache_in(runs_dir: Path) -> TokenCache:
    """Return the token cache of a runs directory."""
    return TokenCache(runs_dir / "tokens")


def _file_name(name: str, data: bytes, suffix: str = "npy") -> str:
    """Return the name of a file, which includes the checksum of what it holds."""
    return f"{name}-crc{zlib.crc32(data):08x}.{suffix}"

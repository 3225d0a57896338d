"""TokenCache: a long text's token IDs on disk, so that it is encoded once."""

import os
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

WORTH_KEEPING = 100_000  # tokens; fewer are quick to encode again
MAX_BYTES = 2 * 2**30  # of all files; the least recently used are removed first


class TokenCache:
    """Token IDs on disk, by the text's hash and by how it was split and encoded.

    IDs that cannot be read or written are encoded again, without an error.
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
                if path.name == _file_name(name, token_ids):  # otherwise it is damaged
                    os.utime(path)
                    return torch.from_numpy(token_ids)  # (N,)
            with suppress(OSError):
                path.unlink()
        encoded = encode()  # (N,)
        if len(encoded) >= WORTH_KEEPING:
            self._write(self._folder / _file_name(name, encoded.numpy()), encoded)
        return encoded

    def forget(self, text_sha256: str) -> None:
        """Remove all cached token IDs of a text."""
        for path in self._folder.glob(f"{text_sha256}-*.npy"):
            path.unlink(missing_ok=True)

    def _write(self, path: Path, token_ids: Tensor) -> None:
        part = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                np.save(file, token_ids.numpy())
            part.replace(path)
            files = sorted(self._folder.glob("*.npy"), key=lambda p: p.stat().st_mtime)
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


def _file_name(name: str, token_ids: npt.NDArray[np.int32]) -> str:
    """Return the name of a file, which includes the checksum of its IDs."""
    return f"{name}-crc{zlib.crc32(token_ids.tobytes()):08x}.npy"

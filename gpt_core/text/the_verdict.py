"""The chapter's own text, "The Verdict": fetched, or uploaded and recognised by its hash."""

import hashlib
import urllib.request
from http.client import HTTPException
from pathlib import Path

from gpt_core.system import FETCHED_DIR, write_atomically
from gpt_core.text.corpus import Corpus

VERDICT = "the-verdict"
VERDICT_TITLE = "The Verdict (Edith Wharton, 1908)"
VERDICT_URL = (
    "https://raw.githubusercontent.com/rasbt/LLMs-from-scratch/main/"
    "ch02/01_main-chapter-code/the-verdict.txt"
)
VERDICT_SHA256 = "b41e41a68f0398a3154ae69e2e4c0e2694e17fe0d66730536837f1b01935b31f"
VERDICT_BYTES = 20_479


def has_the_verdict(data_dir: Path = FETCHED_DIR) -> bool:
    """Tell whether "The Verdict" has been fetched and is undamaged."""
    path = data_dir / f"{VERDICT}.txt"
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == VERDICT_SHA256


def read_the_verdict(data_dir: Path = FETCHED_DIR) -> Corpus:
    """Read the saved "The Verdict".

    Raises:
        ValueError: it has not been fetched yet.
    """
    path = data_dir / f"{VERDICT}.txt"
    if not has_the_verdict(data_dir):
        raise ValueError(_how_to_get_the_verdict(path))
    return Corpus(VERDICT_TITLE, path.read_bytes().decode("utf-8"))


def download_the_verdict(data_dir: Path = FETCHED_DIR, url: str = VERDICT_URL) -> Corpus:
    """Fetch "The Verdict" from the book's public repository, check it and save it.

    Raises:
        ValueError: it cannot be fetched, or the download is not that text; the message says how
            to add it without a network.
    """
    advice = _how_to_get_the_verdict(data_dir / f"{VERDICT}.txt")
    try:
        with urllib.request.urlopen(url, timeout=20) as response:  # noqa: S310 (our own address)
            data = response.read(VERDICT_BYTES + 1)  # one byte more shows a longer file
    except (OSError, HTTPException) as error:  # OSError includes URLError, TimeoutError
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise ValueError(f"The Verdict could not be downloaded ({reason}). {advice}") from error
    if hashlib.sha256(data).hexdigest() != VERDICT_SHA256:
        raise ValueError(f"The file at {url} is not The Verdict (wrong SHA-256). {advice}")
    save_the_verdict(data, data_dir)
    return read_the_verdict(data_dir)


def save_the_verdict(data: bytes, data_dir: Path = FETCHED_DIR) -> None:
    """Save "The Verdict", completely or not; ignore other bytes.

    Raises:
        ValueError: the directory cannot be written.
    """
    if hashlib.sha256(data).hexdigest() != VERDICT_SHA256:
        return
    path = data_dir / f"{VERDICT}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}.") from error


def _how_to_get_the_verdict(path: Path) -> str:
    return (
        f"Fetch it with one click in the app (or: python -m gpt_core fetch-verdict), or without "
        f"a network: download {VERDICT_URL} on another machine, then upload the file in the app "
        f"or put it at {path}."
    )

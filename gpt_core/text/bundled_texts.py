"""The texts that come with the app."""

from functools import cache
from pathlib import Path

from gpt_core.system import DATA_DIR, FETCHED_DIR
from gpt_core.text.corpus import Corpus
from gpt_core.text.the_verdict import (
    VERDICT,
    VERDICT_SHA256,
    has_the_verdict,
    read_the_verdict,
)

DEFAULT_TEXT = "the-lamp-room"
BUNDLED_TEXTS: dict[str, str] = {
    DEFAULT_TEXT: "The Lamp Room (a short story)",
    "counting": "Counting (a tiny pattern)",
    "days-of-the-week": "Days of the week (a tiny pattern)",
    "nine-small-boats": "Nine Small Boats (a rhyme)",
}


def bundled_text(sha256: str, data_dir: Path | None = None) -> str | None:
    """Return the name of the text with this hash, among the bundled texts and The Verdict.

    Return None for any other text, and for The Verdict before it is fetched.
    """
    names = [*BUNDLED_TEXTS, *([VERDICT] if has_the_verdict(data_dir or FETCHED_DIR) else [])]
    return next((name for name in names if load_text(name, data_dir).sha256 == sha256), None)


@cache
def public_texts() -> frozenset[str]:
    """Return the hashes of the public texts: the bundled ones and The Verdict."""
    return frozenset({VERDICT_SHA256, *(load_text(name).sha256 for name in BUNDLED_TEXTS)})


def load_text(name: str, data_dir: Path | None = None) -> Corpus:
    """Load a bundled text or, once fetched, "The Verdict", by its name.

    Args:
        name: one of :data:`BUNDLED_TEXTS`, or "the-verdict".
        data_dir: the directory of the texts; None means the default.

    Raises:
        ValueError: no text has this name, or The Verdict has not been fetched yet.
    """
    if name not in (*BUNDLED_TEXTS, VERDICT):
        raise ValueError(
            f"There is no text named {name!r}: choose {', '.join(BUNDLED_TEXTS)} or {VERDICT}."
        )
    if name == VERDICT:
        return read_the_verdict(data_dir or FETCHED_DIR)
    return Corpus(
        BUNDLED_TEXTS[name], ((data_dir or DATA_DIR) / f"{name}.txt").read_bytes().decode("utf-8")
    )

"""The texts that come with the app."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from gpt_core.system import DATA_DIR, FETCHED_DIR
from gpt_core.text.corpus import Corpus
from gpt_core.text.grammar import write_stories
from gpt_core.text.tasks import write_problems
from gpt_core.text.the_verdict import (
    VERDICT,
    VERDICT_SHA256,
    has_the_verdict,
    read_the_verdict,
)

DEFAULT_TEXT = "the-lamp-room"
STORIES = "simple-stories"


@dataclass(frozen=True)
class GeneratedText:
    """A text that is written when it is first needed, always the same.

    ``write`` takes a ``seed`` and a ``size`` in bytes, for others of the same kind.
    """

    title: str
    write: Callable[..., str]
    sha256: str  # of the one that ``write()`` returns


GENERATED_TEXTS = {
    STORIES: GeneratedText(
        "Simple stories (from a grammar)",
        write_stories,
        "5dd81efc2bd90f1a3ee1dc34e3d91e606d52ffaadab98a05c5d733dca7c41b51",
    ),
    **{
        name: GeneratedText(title, partial(write_problems, name), sha256)
        for name, title, sha256 in (
            (
                "copy",
                "Copy letters (a task)",
                "48f3614a1d8be4c9958a8e2001d4f561fc421f535d476fdc7d95b3be6cea0dd1",
            ),
            (
                "reverse",
                "Reverse letters (a task)",
                "9850d78148bc609bc8ca730dc0a04151e3b6b1cd07c5c4545956f5f68f525877",
            ),
            (
                "sort",
                "Sort letters (a task)",
                "f526d5d13fbf5faf29ccee8f8797f2d0673d44e24ca3ad7604aa15c2da80ae4f",
            ),
            (
                "addition",
                "Add two numbers (a task)",
                "52a1e68c2dd464314eeec628e8d357f0a55bfe7bb007130c6647850ff1462054",
            ),
        )
    },
}

BUNDLED_TEXTS: dict[str, str] = {
    DEFAULT_TEXT: "The Lamp Room (a short story)",
    **{name: text.title for name, text in GENERATED_TEXTS.items()},
    "counting": "Counting (a tiny pattern)",
    "days-of-the-week": "Days of the week (a tiny pattern)",
    "nine-small-boats": "Nine Small Boats (a rhyme)",
}

_OF_A_TASK = (
    "All problems are different, and those of the validation part are never trained on: at each "
    "evaluation its answers are checked."
)

# What the title does not tell.
DESCRIPTIONS: dict[str, str] = {
    STORIES: (
        "Four megabytes of children's stories, each with a question at its end, written by a "
        "grammar of our own: it tells each story's exact probability, and so how low the loss of "
        "any model can be."
    ),
    "copy": f"Write the letters again, as in abc=abc. {_OF_A_TASK}",
    "reverse": f"Write the letters backwards, as in abc<cba. {_OF_A_TASK}",
    "sort": f"Write the letters in the order of the alphabet, as in cab>abc. {_OF_A_TASK}",
    "addition": f"Add two numbers of up to three digits, as in 37+485=522. {_OF_A_TASK}",
}


def bundled_text(sha256: str, data_dir: Path | None = None) -> str | None:
    """Return the name of the text with this hash, among the bundled texts and The Verdict.

    Return None for any other text, and for The Verdict before it is fetched.
    """
    names = [*BUNDLED_TEXTS, *([VERDICT] if has_the_verdict(data_dir or FETCHED_DIR) else [])]
    return next((name for name in names if _sha256(name, data_dir) == sha256), None)


def _sha256(name: str, data_dir: Path | None = None) -> str:
    """Return a text's hash; a generated text is not written for it."""
    generated = GENERATED_TEXTS.get(name)
    return generated.sha256 if generated else load_text(name, data_dir).sha256


@cache
def public_texts() -> frozenset[str]:
    """Return the hashes of the public texts: the bundled ones and The Verdict."""
    return frozenset({VERDICT_SHA256, *map(_sha256, BUNDLED_TEXTS)})


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
    if name in GENERATED_TEXTS:
        return _generated(name)
    return Corpus(
        BUNDLED_TEXTS[name], ((data_dir or DATA_DIR) / f"{name}.txt").read_bytes().decode("utf-8")
    )


@cache  # written once in a process, in under a second
def _generated(name: str) -> Corpus:
    text = GENERATED_TEXTS[name]
    return Corpus(text.title, text.write())

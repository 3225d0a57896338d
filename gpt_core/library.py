"""TextLibrary: a person's own texts, kept in the runs directory by their content."""

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from gpt_core.corpus import Corpus
from gpt_core.store import RunStore
from gpt_core.token_cache import token_cache_in


@dataclass(frozen=True)
class KeptText:
    """What is known of a kept text without reading it."""

    sha256: str
    name: str
    source: str  # where it came from: "upload", "pasted"
    characters: int
    bytes: int
    kept_at: float  # seconds since 1970


class TextLibrary:
    """Texts by their content hash, each with a card of its name, size and source.

    The text itself lies where a run's text lies, once, however many runs were trained on it.
    """

    def __init__(self, store: RunStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._folder = store.runs_dir / "texts"

    def keep(self, corpus: Corpus, source: str) -> KeptText:
        """Keep a text; the same text again only gets the new name.

        Raises:
            ValueError: the disk cannot be written.
        """
        size = len(corpus.text.encode("utf-8"))
        card = KeptText(corpus.sha256, corpus.name, source, len(corpus.text), size, self._clock())
        path = self._card(corpus.sha256)
        part = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
        try:
            self._store.keep_text(corpus.text, corpus.sha256)
            part.write_text(json.dumps(asdict(card)), encoding="utf-8")
            part.replace(path)
        except OSError as error:
            raise ValueError(f"The text was not kept: {error.strerror or error}.") from error
        return card

    def texts(self) -> list[KeptText]:
        """Return the cards of all kept texts, the newest first; damaged cards are passed over."""
        cards = []
        for path in self._folder.glob("*.json"):
            try:
                card = KeptText(**json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                continue
            if card.sha256 == path.stem:
                cards.append(card)
        return sorted(cards, key=lambda card: card.kept_at, reverse=True)

    def load(self, sha256: str) -> Corpus:
        """Return a kept text.

        Raises:
            ValueError: it is not there, or damaged.
        """
        names = {card.sha256: card.name for card in self.texts()}
        if sha256 not in names:
            raise ValueError("This text is not kept any more: choose another, or upload it again.")
        return Corpus(names[sha256], self._store.text(sha256))

    def users(self, sha256: str) -> list[str]:
        """Return the IDs of the runs that were trained on a text: they need it to go on."""
        return [run.id for run in self._store.runs() if run.text_sha256 == sha256]

    def delete(self, sha256: str) -> None:
        """Delete a text for good.

        Raises:
            ValueError: a run was trained on it.
        """
        text = self._store.text_path(sha256)
        aside = text.with_suffix(".deleted")
        # Put aside first: a run that starts meanwhile finds it gone and writes it anew, one that
        # has just begun is seen here.
        if text.exists():
            text.replace(aside)
        if users := self.users(sha256):
            if aside.exists():
                aside.replace(text)
            raise ValueError(
                f"{len(users)} run{'s' * (len(users) != 1)} trained on this text and could not go "
                f"on without it ({', '.join(users[:3])}{' …' * (len(users) > 3)}): it stays."
            )
        self._card(sha256).unlink(missing_ok=True)
        aside.unlink(missing_ok=True)
        token_cache_in(self._store.runs_dir).forget(sha256)

    def _card(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.json"

"""TextLibrary: people's own texts, kept in the runs directory by their content.

Whose a text is, its card says. Two who keep the same text have a card each and know nothing of each
other; the text lies there once.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gpt_core.class_book import TEXT
from gpt_core.corpus import Corpus
from gpt_core.machine import describe_error
from gpt_core.quotas import TEXTS, ClassRules, refuse_bytes
from gpt_core.rights import LOCAL, is_student, refuse
from gpt_core.store import RunStore
from gpt_core.token_cache import token_cache_in
from gpt_core.whole_file import write_whole


@dataclass(frozen=True)
class KeptText:
    """What is known of a kept text without reading it."""

    sha256: str
    name: str
    source: str  # where it came from: "upload", "pasted"
    characters: int
    bytes: int
    kept_at: float  # seconds since 1970
    owner: str = LOCAL  # an actor: the machine's own, or a student
    shared: bool = False  # whether its owner shows it to all


class TextLibrary:
    """Texts by their content hash, each with a card of its name, size, source and owner.

    The text itself lies where a run's text lies, once, however many runs were trained on it.

    Args:
        store: whose runs directory they are kept in.
        actor: who asks: a student sees their own, and what others share.
        rules: of a class: how much a student may keep.
        clock: gives the time in seconds since 1970.
    """

    def __init__(
        self,
        store: RunStore,
        actor: str = LOCAL,
        rules: ClassRules | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._actor = actor
        self._rules = rules or ClassRules()
        self._owner = actor if is_student(actor) else LOCAL
        self._clock = clock
        self._folder = store.runs_dir / "texts"

    def keep(self, corpus: Corpus, source: str) -> KeptText:
        """Keep a text; the same text again only gets the new name.

        Raises:
            ValueError: the disk cannot be written, or the student has used up their share of it.
        """
        if is_student(self._owner) and TEXTS in self._rules.hidden:
            raise ValueError("In this lesson you train on the texts that are here: choose one.")
        size = len(corpus.text.encode("utf-8"))
        refuse_bytes(self._store, self._rules, self._owner, size)
        card = KeptText(
            *(corpus.sha256, corpus.name, source, len(corpus.text), size, self._clock()),
            owner=self._owner,
        )
        path = self._card(corpus.sha256, self._owner)
        try:
            self._store.keep_text(corpus.text, corpus.sha256)
            write_whole(path, json.dumps(asdict(card)).encode())
            # Once more: somebody may have deleted it just before there was a card.
            self._store.keep_text(corpus.text, corpus.sha256)
        except OSError as error:
            raise ValueError(f"The text was not kept. {describe_error(error)}") from error
        return card

    def texts(self) -> list[KeptText]:
        """Return the cards of the texts that the actor may use, the newest first, each text once.

        Where they have kept it themselves, it is their card; damaged cards are passed over.
        """
        cards = {}
        for card in self.cards():
            if card.sha256 not in cards or card.owner == self._owner:
                cards[card.sha256] = card
        return sorted(cards.values(), key=lambda card: card.kept_at, reverse=True)

    def cards(self) -> list[KeptText]:
        """Return the cards that the actor may see: a student, their own and those of texts that
        are shared; anybody else, all. The newest first.
        """
        return [
            card
            for card in self._all_cards()
            if card.shared or card.owner == self._owner or not is_student(self._actor)
        ]

    def load(self, sha256: str) -> Corpus:
        """Return a kept text.

        Raises:
            NotAllowed: it is somebody else's, who does not share it.
            ValueError: it is not there, or damaged.
        """
        names = {card.sha256: card.name for card in self.texts()}
        if sha256 not in names:
            if any(card.sha256 == sha256 for card in self._all_cards()):
                message = "This text is somebody else's, who does not share it: choose another."
                refuse(self._store, sha256, self._actor, "read the text", message)
            raise ValueError("This text is not kept any more: choose another, or upload it again.")
        return Corpus(names[sha256], self._store.text(sha256))

    def users(self, sha256: str) -> list[str]:
        """Return the IDs of the runs that were trained on a text: they need it to go on."""
        return [run.id for run in self._store.runs() if run.text_sha256 == sha256]

    def share(self, card: KeptText, shared: bool) -> None:
        """Show a text to the whole class, to be trained on and read; or no longer.

        Raises:
            NotAllowed: it is somebody else's.
        """
        self._refuse_foreign(card, "share")
        self._store.class_book.add_share(TEXT, card.sha256, card.owner, shared)

    def delete(self, sha256: str, owner: str | None = None) -> None:
        """Delete a text for good; as long as others keep it too, only the card of one of them.

        Args:
            sha256: the text.
            owner: whose it is; None is the actor.

        Raises:
            NotAllowed: it is somebody else's.
            ValueError: a run was trained on it.
        """
        cards = {card.owner: card for card in self._all_cards() if card.sha256 == sha256}
        card = cards.pop(owner or self._owner, None)
        if card is not None:
            self._refuse_foreign(card, "delete")
        if cards:
            self._forget(card)
            return
        text = self._store.text_path(sha256)
        aside = text.with_suffix(".deleted")
        # Put aside first: a run that starts meanwhile finds it gone and writes it anew, one that
        # has just begun is seen here.
        if text.exists():
            text.replace(aside)
        if users := self.users(sha256):
            if aside.exists():
                aside.replace(text)
            if card is None or not is_student(card.owner) or self._needs(card):
                raise ValueError(
                    f"{len(users)} run{'s' * (len(users) != 1)} trained on this text and could not "
                    f"go on without it ({', '.join(users[:3])}{' …' * (len(users) > 3)}): it stays."
                )
            self._forget(card)  # it stays for the runs of others
            return
        self._forget(card)
        aside.unlink(missing_ok=True)
        token_cache_in(self._store.runs_dir).forget(sha256)

    def _all_cards(self) -> list[KeptText]:
        """Return all cards, the newest first; damaged ones are passed over."""
        shared = self._store.class_book.shared()
        cards = []
        for path in self._folder.glob("*.json"):
            try:
                card = KeptText(**json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                continue
            if path == self._card(card.sha256, card.owner):
                cards.append(replace(card, shared=(TEXT, card.sha256, card.owner) in shared))
        return sorted(cards, key=lambda card: card.kept_at, reverse=True)

    def _needs(self, card: KeptText) -> bool:
        """Tell whether a run of a text's owner was trained on it."""
        runs = self._store.runs()
        return any((run.text_sha256, run.owner) == (card.sha256, card.owner) for run in runs)

    def _refuse_foreign(self, card: KeptText, doing: str) -> None:
        if is_student(self._actor) and card.owner != self._actor:
            message = f"This text is somebody else's: only they or the teacher may {doing} it."
            refuse(self._store, card.sha256, self._actor, f"{doing} the text", message)

    def _forget(self, card: KeptText | None) -> None:
        """Remove a card; nobody is shown the text any more."""
        if card is not None:
            if card.shared:
                self._store.class_book.add_share(TEXT, card.sha256, card.owner, shared=False)
            self._card(card.sha256, card.owner).unlink(missing_ok=True)

    def _card(self, sha256: str, owner: str) -> Path:
        return self._folder / (f"{sha256}.{owner}.json" if is_student(owner) else f"{sha256}.json")

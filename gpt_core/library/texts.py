"""TextLibrary: users' own texts, saved in the runs directory by content hash."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from gpt_core.access import (
    TEXTS,
    ClassRules,
    is_student,
    refuse,
    require_class_member,
    within_disk_quota,
)
from gpt_core.library.entries import LibraryEntries, LibraryEntry, owner_of
from gpt_core.store import Run, RunStore, ShareKind
from gpt_core.system import count, describe_error
from gpt_core.text import Corpus, token_cache_in


@dataclass(frozen=True)
class LibraryText(LibraryEntry):
    """A saved text's metadata, known without reading it."""

    sha256: str
    name: str
    source: str  # where it came from: "uploaded", "pasted", "generated"
    characters: int
    bytes: int
    kept_at: float  # seconds since 1970


class TextLibrary:
    """Texts by content hash, each with an entry for its name, size, source and owner.

    The text itself is stored once, where runs store theirs, however many runs use it.

    Args:
        store: the store of the runs directory.
        actor: who asks; a student sees their own texts and the shared ones.
        rules: the class's rules, which limit what a student may save.
        clock: returns the time in seconds since 1970.

    Raises:
        PermissionDenied: the actor is not in the class.
    """

    def __init__(
        self,
        store: RunStore,
        *,
        actor: str,
        rules: ClassRules | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        require_class_member(actor)
        self._store = store
        self._actor = actor
        self._rules = rules or ClassRules()
        self._owner = owner_of(actor)
        self._clock = clock
        self._entries = LibraryEntries(store, ShareKind.TEXT, LibraryText, attrgetter("sha256"))

    def keep(self, corpus: Corpus, source: str) -> LibraryText:
        """Save a text and return its entry; saving the same text again only renames it.

        Raises:
            ValueError: the disk cannot be written, the student's disk quota is used up, or the
                lesson allows no own texts.
        """
        if is_student(self._owner) and TEXTS in self._rules.hidden:
            raise ValueError("In this lesson you cannot add a text: choose one that is here.")
        size = len(corpus.text.encode("utf-8"))
        entry = LibraryText(
            *(corpus.sha256, corpus.name, source, len(corpus.text), size, self._clock()),
            owner=self._owner,
        )
        try:
            with within_disk_quota(self._store, self._rules, self._owner, size):
                self._store.save_text(corpus.text, corpus.sha256)
                self._entries.write(entry)
                # Again: it may have been deleted just before its entry existed.
                self._store.save_text(corpus.text, corpus.sha256)
        except OSError as error:
            raise ValueError(f"The text was not saved. {describe_error(error)}") from error
        return entry

    def texts(self) -> list[LibraryText]:
        """Return the entries of the texts that the actor may use, newest first, each text once.

        Where the actor saved a text, its entry is theirs; damaged entries are skipped.
        """
        return _newest_first(self._entries.once_each(self.entries(), self._actor))

    def entries(self) -> list[LibraryText]:
        """Return the entries that the actor may see, newest first.

        A student sees their own and the shared ones; other actors see all.
        """
        return _newest_first([c for c in self._entries.all() if c.is_seen_by(self._actor)])

    def load(self, sha256: str) -> Corpus:
        """Return a saved text.

        Raises:
            PermissionDenied: the text is another student's, and is not shared.
            ValueError: the text is missing or damaged.
        """
        names = {entry.sha256: entry.name for entry in self.texts()}
        if sha256 not in names:
            if any(entry.sha256 == sha256 for entry in self._entries.all()):
                message = "This text is not yours, and its owner does not share it: choose another."
                refuse(self._store, sha256, self._actor, "read the text", message)
            raise ValueError("This text is not here any more: choose another, or upload it again.")
        return Corpus(names[sha256], self._store.text(sha256))

    def users(self, sha256: str) -> list[Run]:
        """Return the runs trained on a text, which need it to resume."""
        return [run for run in self._store.runs() if run.text_sha256 == sha256]

    def share(self, entry: LibraryText, shared: bool) -> None:
        """Share a text with the class, to read and train on, or stop sharing it.

        Raises:
            PermissionDenied: the text is another student's.
        """
        self._entries.refuse_foreign(entry, self._actor, "share")
        self._entries.share(entry, shared)

    def delete(self, sha256: str, owner: str | None = None) -> None:
        """Delete a text permanently; if others saved it too, delete only the entry.

        Args:
            sha256: the text's content hash.
            owner: the owner of the entry to delete; None means the actor.

        Raises:
            PermissionDenied: the text is another student's.
            ValueError: a run was trained on the text.
        """
        entries = {entry.owner: entry for entry in self._entries.all() if entry.sha256 == sha256}
        entry = entries.pop(owner or self._owner, None)
        if entry is not None:
            self._entries.refuse_foreign(entry, self._actor, "delete")
        if entries:
            self._forget(entry)
            return
        text = self._store.text_path(sha256)
        aside = text.with_suffix(".deleted")
        # Renamed first: a run that starts meanwhile finds no text and saves it again; one that has
        # just started is found by users() below.
        if text.exists():
            text.replace(aside)
        if users := self.users(sha256):
            if aside.exists():
                aside.replace(text)
            if entry is not None and is_student(entry.owner):  # others' runs are not named
                users = [run for run in users if run.owner == entry.owner]
            if users:
                names = f"{', '.join(run.id for run in users[:3])}{' …' * (len(users) > 3)}"
                raise ValueError(
                    f"{count(len(users), 'run')} used this text, which is needed to resume, "
                    f"repeat or export ({names}): it stays."
                )
            self._forget(entry)  # the text stays for others' runs
            return
        self._forget(entry)
        aside.unlink(missing_ok=True)
        token_cache_in(self._store.runs_dir).forget(sha256)

    def _forget(self, entry: LibraryText | None) -> None:
        if entry is not None:
            self._entries.forget(entry)


def _newest_first(entries: list[LibraryText]) -> list[LibraryText]:
    return sorted(entries, key=lambda entry: entry.kept_at, reverse=True)

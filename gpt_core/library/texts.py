"""TextLibrary: people's own texts, kept in the runs directory by their content."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from gpt_core.access import TEXTS, ClassRules, is_student, refuse, require_disk_quota
from gpt_core.library.entries import LibraryEntries, LibraryEntry, owner_of
from gpt_core.store import RunStore, ShareKind
from gpt_core.system import describe_error
from gpt_core.text import Corpus, token_cache_in


@dataclass(frozen=True)
class LibraryText(LibraryEntry):
    """What is known of a kept text without reading it."""

    sha256: str
    name: str
    source: str  # where it came from: "upload", "pasted"
    characters: int
    bytes: int
    kept_at: float  # seconds since 1970


class TextLibrary:
    """Texts by their content hash, each with a entry of its name, size, source and owner.

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
        *,
        actor: str,
        rules: ClassRules | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._actor = actor
        self._rules = rules or ClassRules()
        self._owner = owner_of(actor)
        self._clock = clock
        self._entries = LibraryEntries(store, ShareKind.TEXT, LibraryText, attrgetter("sha256"))

    def keep(self, corpus: Corpus, source: str) -> LibraryText:
        """Keep a text; the same text again only gets the new name.

        Raises:
            ValueError: the disk cannot be written, or the student has used up their share of it.
        """
        if is_student(self._owner) and TEXTS in self._rules.hidden:
            raise ValueError("In this lesson you train on the texts that are here: choose one.")
        size = len(corpus.text.encode("utf-8"))
        require_disk_quota(self._store, self._rules, self._owner, size)
        entry = LibraryText(
            *(corpus.sha256, corpus.name, source, len(corpus.text), size, self._clock()),
            owner=self._owner,
        )
        try:
            self._store.save_text(corpus.text, corpus.sha256)
            self._entries.write(entry)
            # Once more: somebody may have deleted it just before there was a entry.
            self._store.save_text(corpus.text, corpus.sha256)
        except OSError as error:
            raise ValueError(f"The text was not kept. {describe_error(error)}") from error
        return entry

    def texts(self) -> list[LibraryText]:
        """Return the entries of the texts that the actor may use, the newest first, each text once.

        Where they have kept it themselves, it is their entry; damaged entries are passed over.
        """
        return _newest_first(self._entries.once_each(self.entries(), self._actor))

    def entries(self) -> list[LibraryText]:
        """Return the entries that the actor may see: a student, their own and those of texts that
        are shared; anybody else, all. The newest first.
        """
        return _newest_first([c for c in self._entries.all() if c.is_seen_by(self._actor)])

    def load(self, sha256: str) -> Corpus:
        """Return a kept text.

        Raises:
            PermissionDenied: it is somebody else's, who does not share it.
            ValueError: it is not there, or damaged.
        """
        names = {entry.sha256: entry.name for entry in self.texts()}
        if sha256 not in names:
            if any(entry.sha256 == sha256 for entry in self._entries.all()):
                message = "This text is somebody else's, who does not share it: choose another."
                refuse(self._store, sha256, self._actor, "read the text", message)
            raise ValueError("This text is not kept any more: choose another, or upload it again.")
        return Corpus(names[sha256], self._store.text(sha256))

    def users(self, sha256: str) -> list[str]:
        """Return the IDs of the runs that were trained on a text: they need it to go on."""
        return [run.id for run in self._store.runs() if run.text_sha256 == sha256]

    def share(self, entry: LibraryText, shared: bool) -> None:
        """Show a text to the whole class, to be trained on and read; or no longer.

        Raises:
            PermissionDenied: it is somebody else's.
        """
        self._entries.refuse_foreign(entry, self._actor, "share")
        self._entries.share(entry, shared)

    def delete(self, sha256: str, owner: str | None = None) -> None:
        """Delete a text for good; as long as others keep it too, only the entry of one of them.

        Args:
            sha256: the text.
            owner: whose it is; None is the actor.

        Raises:
            PermissionDenied: it is somebody else's.
            ValueError: a run was trained on it.
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
        # Put aside first: a run that starts meanwhile finds it gone and writes it anew, one that
        # has just begun is seen here.
        if text.exists():
            text.replace(aside)
        if users := self.users(sha256):
            if aside.exists():
                aside.replace(text)
            if entry is None or not is_student(entry.owner) or self._needs(entry):
                raise ValueError(
                    f"{len(users)} run{'s' * (len(users) != 1)} trained on this text and could not "
                    f"go on without it ({', '.join(users[:3])}{' …' * (len(users) > 3)}): it stays."
                )
            self._forget(entry)  # it stays for the runs of others
            return
        self._forget(entry)
        aside.unlink(missing_ok=True)
        token_cache_in(self._store.runs_dir).forget(sha256)

    def _needs(self, entry: LibraryText) -> bool:
        """Tell whether a run of a text's owner was trained on it."""
        runs = self._store.runs()
        return any((run.text_sha256, run.owner) == (entry.sha256, entry.owner) for run in runs)

    def _forget(self, entry: LibraryText | None) -> None:
        if entry is not None:
            self._entries.forget(entry)


def _newest_first(entries: list[LibraryText]) -> list[LibraryText]:
    return sorted(entries, key=lambda entry: entry.kept_at, reverse=True)

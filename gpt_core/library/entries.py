"""Cards: what is known of the texts and models that people keep, and who may do what with them.

Whose a thing is, its entry says. Two who keep the same have a entry each and know nothing of each
other; the thing itself lies there once.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from gpt_core.access import LOCAL, is_student, refuse
from gpt_core.store import RunStore, ShareKind
from gpt_core.system import write_atomically


@dataclass(frozen=True, kw_only=True)
class LibraryEntry:
    """What every entry says."""

    owner: str = LOCAL  # an actor: the machine's own, or a student
    shared: bool = False  # whether its owner shows it to all

    def is_seen_by(self, actor: str) -> bool:
        """Tell whether an actor may use it: a student their own, and what is shared."""
        return self.shared or self.owner == actor or not is_student(actor)


C = TypeVar("C", bound=LibraryEntry)


class LibraryEntries(Generic[C]):
    """The entries of one kind of things, each a small file beside the thing itself.

    Args:
        store: in whose runs directory they lie, and who shares what.
        kind: of things, as the class's book and messages call it: "text".
        card_type: what a entry is read as.
        key_of: returns what a thing is called, a part of its files' names.
    """

    def __init__(
        self, store: RunStore, kind: ShareKind, card_type: type[C], key_of: Callable[[C], str]
    ) -> None:
        self.folder = store.runs_dir / f"{kind}s"
        self._store = store
        self._kind = kind
        self._card_type = card_type
        self._key_of = key_of

    def all(self) -> list[C]:
        """Return all entries, by their files' names; damaged ones are passed over."""
        shared = self._store.class_store.shared()
        entries = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                entry = self._card_type(**json.loads(path.read_text(encoding="utf-8")))
                key = self._key_of(entry)
            except (OSError, ValueError, TypeError):
                continue
            if path == self._path(key, entry.owner):
                entries.append(replace(entry, shared=(self._kind, key, entry.owner) in shared))
        return entries

    def once_each(self, entries: Iterable[C], actor: str) -> list[C]:
        """Return one entry of each thing: where the actor has kept it, too, with their entry."""
        chosen: dict[str, C] = {}
        for entry in entries:
            if self._key_of(entry) not in chosen or entry.owner == owner_of(actor):
                chosen[self._key_of(entry)] = entry
        return list(chosen.values())

    def write(self, entry: C) -> None:
        """Write a entry down.

        Raises:
            OSError: the disk cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(self._key_of(entry), entry.owner)
        write_atomically(path, json.dumps(asdict(entry)).encode())

    def forget(self, entry: C) -> None:
        """Remove a entry; nobody is shown the thing any more.

        Raises:
            OSError: the disk cannot be written.
        """
        if entry.shared:
            self.share(entry, False)
        self._path(self._key_of(entry), entry.owner).unlink(missing_ok=True)

    def share(self, entry: C, shared: bool) -> None:
        """Write down that a thing is shown to the whole class, or no longer."""
        self._store.class_store.add_share(self._kind, self._key_of(entry), entry.owner, shared)

    def refuse_foreign(self, entry: C, actor: str, doing: str) -> None:
        """Refuse a student who wants to change what is somebody else's.

        Raises:
            PermissionDenied: it is.
        """
        if is_student(actor) and entry.owner != actor:
            message = (
                f"This {self._kind} is somebody else's: only they or the teacher may {doing} it."
            )
            refuse(self._store, self._key_of(entry), actor, f"{doing} the {self._kind}", message)

    def _path(self, key: str, owner: str) -> Path:
        return self.folder / (f"{key}.{owner}.json" if is_student(owner) else f"{key}.json")


def owner_of(actor: str) -> str:
    """Return whose a thing is that an actor keeps: theirs, or the machine's own."""
    return actor if is_student(actor) else LOCAL

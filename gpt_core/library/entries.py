"""Library entries: the metadata of saved texts and models, and who may change them.

An entry names its owner. If two people save the same content, each has an entry and cannot see the
other's; the content itself is stored once.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from gpt_core.access import LOCAL, is_student, refuse
from gpt_core.store import RunStore, ShareKind
from gpt_core.system import read_json, write_atomically


@dataclass(frozen=True, kw_only=True)
class LibraryEntry:
    """The fields that all entries have."""

    owner: str = LOCAL  # an actor: the machine's own user, or a student
    shared: bool = False  # with the whole class

    def is_seen_by(self, actor: str) -> bool:
        """Tell whether an actor may use it: students, their own and shared ones; others, all."""
        return self.shared or self.owner == actor or not is_student(actor)


C = TypeVar("C", bound=LibraryEntry)


class LibraryEntries(Generic[C]):
    """The entries of one kind, each a small JSON file beside its content.

    Args:
        store: the store of the runs directory, which also records what is shared.
        kind: what the entries describe, as the class store and messages call it: "text".
        card_type: the class of an entry.
        key_of: returns an entry's key, which is part of its file's name.
    """

    def __init__(
        self, store: RunStore, kind: ShareKind, entry_type: type[C], key_of: Callable[[C], str]
    ) -> None:
        self.folder = store.runs_dir / f"{kind}s"
        self._store = store
        self._kind = kind
        self._card_type = entry_type
        self._key_of = key_of

    def all(self) -> list[C]:
        """Return all entries, sorted by file name; damaged ones are skipped."""
        shared = self._store.class_store.shared()
        entries = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                entry = self._card_type(**read_json(path))
                key = self._key_of(entry)
            except (OSError, ValueError, TypeError):
                continue
            if path == self._path(key, entry.owner):
                entries.append(replace(entry, shared=(self._kind, key, entry.owner) in shared))
        return entries

    def once_each(self, entries: Iterable[C], actor: str) -> list[C]:
        """Return one entry per key, the actor's own where there is one."""
        chosen: dict[str, C] = {}
        for entry in entries:
            if self._key_of(entry) not in chosen or entry.owner == owner_of(actor):
                chosen[self._key_of(entry)] = entry
        return list(chosen.values())

    def write(self, entry: C) -> None:
        """Save an entry.

        Raises:
            OSError: the disk cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(self._key_of(entry), entry.owner)
        write_atomically(path, json.dumps(asdict(entry)).encode())

    def forget(self, entry: C) -> None:
        """Remove an entry, and stop sharing it.

        Raises:
            OSError: the disk cannot be written.
        """
        if entry.shared:
            self.share(entry, False)
        self._path(self._key_of(entry), entry.owner).unlink(missing_ok=True)

    def share(self, entry: C, shared: bool) -> None:
        """Record that an entry is shared with the class, or no longer."""
        self._store.class_store.add_share(self._kind, self._key_of(entry), entry.owner, shared)

    def refuse_foreign(self, entry: C, actor: str, doing: str) -> None:
        """Refuse a student who wants to change another owner's entry.

        Raises:
            PermissionDenied: the entry is another student's.
        """
        if is_student(actor) and entry.owner != actor:
            message = (
                f"This {self._kind} is not yours: only its owner or the teacher may {doing} it."
            )
            refuse(self._store, self._key_of(entry), actor, f"{doing} the {self._kind}", message)

    def _path(self, key: str, owner: str) -> Path:
        return self.folder / (f"{key}.{owner}.json" if is_student(owner) else f"{key}.json")


def owner_of(actor: str) -> str:
    """Return the owner of what an actor saves: the student, otherwise "local"."""
    return actor if is_student(actor) else LOCAL

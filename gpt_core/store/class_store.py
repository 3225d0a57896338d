"""ClassBook: what a class has on record: members, refusals, what is shown to all, and the rules.

Imports no torch, as the store, whose database it is in.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from gpt_core.store.database import Database, insert


class ShareKind(StrEnum):
    """What can be shown to the whole class."""

    RUN = "run"
    TEXT = "text"
    MODEL = "model"


class Share(NamedTuple):
    """Something that its owner shows to the whole class."""

    kind: ShareKind
    key: str  # a run's ID, a text's hash, a model's key
    owner: str


Shared = frozenset[Share]


@dataclass(frozen=True)
class StoredMember:
    """A browser that belongs to a member of the class."""

    member_id: str
    name: str


@dataclass(frozen=True)
class Refusal:
    """What was asked for by an actor who may not do it."""

    id: int
    run_id: str
    at: float
    actor: str
    doing: str


class ClassStore:
    """The tables of a class, in the store's database.

    Args:
        database: the store's.
        clock: gives the time in seconds since 1970.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def add_member(self, member_id: str, name: str, token_sha256: str) -> None:
        """Write down a browser of a class's member."""
        row = {"member_id": member_id, "at": self._clock(), "name": name}
        with self._database.transaction() as connection:
            insert(connection, "members", {**row, "token_sha256": token_sha256})

    def revoke_member(self, member_id: str, actor: str) -> None:
        """Write down that a member's browsers count no longer, and by whom."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE members SET revoked_by = ? WHERE member_id = ? AND revoked_by IS NULL",
                (actor, member_id),
            )

    def members(self) -> list[StoredMember]:
        """Return the browsers that belong to a class, the first that came first."""
        sql = "SELECT member_id, name FROM members WHERE revoked_by IS NULL ORDER BY id"
        return [StoredMember(**row) for row in self._database.select(sql)]

    def member(self, token_sha256: str) -> StoredMember | None:
        """Return the browser of a token, or None if it belongs to nobody any more."""
        sql = "SELECT member_id, name FROM members WHERE token_sha256 = ? AND revoked_by IS NULL"
        found = self._database.select(sql, token_sha256)
        return StoredMember(**found[0]) if found else None

    def names(self) -> dict[str, str]:
        """Return what each member is called, by ID; also of those who were sent out."""
        rows = self._database.select("SELECT member_id, name FROM members ORDER BY id")
        return {row["member_id"]: row["name"] for row in rows}

    def add_refusal(self, run_id: str, actor: str, doing: str) -> None:
        """Write down that somebody asked for what only another may do."""
        row = {"run_id": run_id, "at": self._clock(), "actor": actor, "doing": doing}
        with self._database.transaction() as connection:
            insert(connection, "refusals", row)

    def refusals(self) -> list[Refusal]:
        """Return what was refused to whom, oldest first."""
        rows = self._database.select("SELECT * FROM refusals ORDER BY id")
        return [Refusal(**row) for row in rows]

    def add_share(self, kind: ShareKind, key: str, actor: str, shared: bool) -> None:
        """Write down that somebody shows all what is theirs, or no longer does."""
        row = {"kind": kind, "key": key, "at": self._clock(), "actor": actor, "shared": shared}
        with self._database.transaction() as connection:
            insert(connection, "shares", row)

    def shared(self) -> Shared:
        """Return everything that is shown to all: its kind, its key, and whose it is."""
        sql = """
            SELECT kind, key, actor FROM shares AS last WHERE shared AND id = (
                SELECT MAX(id) FROM shares
                WHERE kind = last.kind AND key = last.key AND actor = last.actor
            )"""
        rows = self._database.select(sql)
        return frozenset(Share(ShareKind(row["kind"]), row["key"], row["actor"]) for row in rows)

    def add_rules(self, rules: dict[str, Any], actor: str) -> None:
        """Write down what holds for a class's students from now on."""
        row = {"at": self._clock(), "actor": actor, "rules": json.dumps(rules)}
        with self._database.transaction() as connection:
            insert(connection, "class_rules", row)

    def rules(self) -> dict[str, Any]:
        """Return what was written down last; nothing where nothing was."""
        sql = "SELECT rules FROM class_rules ORDER BY id DESC LIMIT 1"
        found = self._database.select(sql)
        return dict(json.loads(found[0]["rules"])) if found else {}

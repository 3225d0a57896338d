"""ClassBook: what a class has on record: members, refusals, what is shown to all, and the rules.

Imports no torch, as the store, whose database it is in.
"""

import json
from collections.abc import Callable
from typing import Any

from gpt_core.store.database import Database, insert
from gpt_core.store.rows import Row

RUN, TEXT, MODEL = "run", "text", "model"  # what can be shown to the whole class

Shared = frozenset[tuple[str, str, str]]  # kind, key and owner of all that is


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

    def members(self) -> list[Row]:
        """Return the browsers that belong to a class, the first that came first."""
        return self._database.select("SELECT * FROM members WHERE revoked_by IS NULL ORDER BY id")

    def member(self, token_sha256: str) -> Row | None:
        """Return the browser of a token, or None if it belongs to nobody any more."""
        sql = "SELECT * FROM members WHERE token_sha256 = ? AND revoked_by IS NULL"
        found = self._database.select(sql, token_sha256)
        return found[0] if found else None

    def names(self) -> dict[str, str]:
        """Return what each member is called, by ID; also of those who were sent out."""
        rows = self._database.select("SELECT member_id, name FROM members ORDER BY id")
        return {row["member_id"]: row["name"] for row in rows}

    def add_refusal(self, run_id: str, actor: str, doing: str) -> None:
        """Write down that somebody asked for what only another may do."""
        row = {"run_id": run_id, "at": self._clock(), "actor": actor, "doing": doing}
        with self._database.transaction() as connection:
            insert(connection, "refusals", row)

    def refusals(self, after: int = 0) -> list[Row]:
        """Return what was refused to whom, with ``id > after``, oldest first."""
        return self._database.select("SELECT * FROM refusals WHERE id > ? ORDER BY id", after)

    def add_share(self, kind: str, key: str, actor: str, shared: bool) -> None:
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
        return frozenset((row["kind"], row["key"], row["actor"]) for row in rows)

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

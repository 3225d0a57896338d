"""ClassStore: the members, rejoin codes, refusals, shares and rules of a class.

It uses the store's database and, like the store, imports no torch.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from gpt_core.store.database import Database, insert
from gpt_core.store.run import ShareKind


class Share(NamedTuple):
    """Something that its owner shares with the class."""

    kind: ShareKind
    key: str  # a run's ID, a text's hash, a model's key
    owner: str


Shared = frozenset[Share]


@dataclass(frozen=True)
class StoredMember:
    """A signed-in browser of a class member."""

    member_id: str
    name: str


@dataclass(frozen=True)
class StoredRejoinCode:
    """A valid rejoin code of a student."""

    member_id: str
    code_hash: str


@dataclass(frozen=True)
class Refusal:
    """A request that was refused."""

    id: int
    run_id: str
    at: float  # seconds since 1970
    actor: str
    doing: str  # the refused action, a verb


class ClassStore:
    """The tables of a class, in the store's database.

    Args:
        database: the store's database.
        clock: returns the time in seconds since 1970.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._changes = 0  # of this process to the members, each counted once it is committed
        self._browsers: tuple[tuple[int, int], dict[str, tuple[StoredMember, float]]] | None = None

    def add_member(self, member_id: str, name: str, token_sha256: str) -> None:
        """Record a browser of a member, by the hash of its token."""
        row = {"member_id": member_id, "at": self._clock(), "name": name}
        with self._database.transaction() as connection:
            insert(connection, "members", {**row, "token_sha256": token_sha256})
        self._changes += 1

    def revoke_member(self, member_id: str, actor: str) -> None:
        """Revoke a member's browsers and rejoin codes, and record by whom."""
        with self._database.transaction() as connection:
            for table in ("members", "rejoin_codes"):
                _revoke(connection, table, "member_id", member_id, actor)
        self._changes += 1

    def revoke_browser(self, token_sha256: str, actor: str) -> None:
        """Revoke one browser of a member; their rejoin codes stay valid."""
        with self._database.transaction() as connection:
            _revoke(connection, "members", "token_sha256", token_sha256, actor)
        self._changes += 1

    def add_rejoin_code(
        self, member_id: str, code_hash: str, token_sha256: str | None, actor: str
    ) -> None:
        """Record a rejoin code by its hash; one of no browser replaces the member's others."""
        row = {"member_id": member_id, "at": self._clock(), "actor": actor}
        row |= {"code_hash": code_hash, "token_sha256": token_sha256}
        with self._database.transaction() as connection:
            if token_sha256 is None:
                _revoke(connection, "rejoin_codes", "member_id", member_id, actor)
            insert(connection, "rejoin_codes", row)

    def rejoin_codes(self) -> list[StoredRejoinCode]:
        """Return the rejoin codes that are not revoked, oldest first."""
        sql = "SELECT member_id, code_hash FROM rejoin_codes WHERE revoked_by IS NULL ORDER BY id"
        return [StoredRejoinCode(**row) for row in self._database.select(sql)]

    def is_rejoin_code_valid(self, token_sha256: str) -> bool | None:
        """Tell whether the rejoin code of a browser is valid; None if it has none."""
        sql = "SELECT revoked_by FROM rejoin_codes WHERE token_sha256 = ?"
        found = self._database.select(sql, token_sha256)
        return found[0]["revoked_by"] is None if found else None

    def members(self) -> list[StoredMember]:
        """Return the browsers that are not revoked, oldest first."""
        sql = "SELECT member_id, name FROM members WHERE revoked_by IS NULL ORDER BY id"
        return [StoredMember(**row) for row in self._database.select(sql)]

    def member(self, token_sha256: str, max_seconds: float) -> StoredMember | None:
        """Return the browser of a token, or None if it is unknown, revoked or older than that."""
        member, at = self._signed_in().get(token_sha256, (None, 0.0))
        return member if at > self._clock() - max_seconds else None

    def _signed_in(self) -> dict[str, tuple[StoredMember, float]]:
        """Return each browser that is not revoked, and when it came, by its token's hash.

        Every message of every page asks for one, so they are read only after a change: one of
        this process shows at once, one of another within 0.25 s.
        """
        state = self._changes, self._database.version()[1]  # first: what is read may be newer
        if self._browsers is None or self._browsers[0] != state:
            sql = "SELECT token_sha256, member_id, name, at FROM members WHERE revoked_by IS NULL"
            self._browsers = (
                state,
                {
                    row["token_sha256"]: (StoredMember(row["member_id"], row["name"]), row["at"])
                    for row in self._database.select(sql)
                },
            )
        return self._browsers[1]

    def names(self) -> dict[str, str]:
        """Return the name of each member, by ID, removed members included."""
        rows = self._database.select("SELECT member_id, name FROM members ORDER BY id")
        return {row["member_id"]: row["name"] for row in rows}

    def add_refusal(self, run_id: str, actor: str, doing: str) -> None:
        """Record a refused request."""
        row = {"run_id": run_id, "at": self._clock(), "actor": actor, "doing": doing}
        with self._database.transaction() as connection:
            insert(connection, "refusals", row)

    def refusals(self) -> list[Refusal]:
        """Return the refused requests, oldest first."""
        rows = self._database.select("SELECT * FROM refusals ORDER BY id")
        return [Refusal(**row) for row in rows]

    def add_share(self, kind: ShareKind, key: str, actor: str, shared: bool) -> None:
        """Record that an actor shares their run, text or model with the class, or stops."""
        row = {"kind": kind, "key": key, "at": self._clock(), "actor": actor, "shared": shared}
        with self._database.transaction() as connection:
            insert(connection, "shares", row)

    def shared(self) -> Shared:
        """Return everything that is shared with the class."""
        sql = """
            SELECT kind, key, actor FROM shares AS last WHERE shared AND id = (
                SELECT MAX(id) FROM shares
                WHERE kind = last.kind AND key = last.key AND actor = last.actor
            )"""
        rows = self._database.select(sql)
        return frozenset(Share(ShareKind(row["kind"]), row["key"], row["actor"]) for row in rows)

    def add_rules(self, rules: dict[str, Any], actor: str) -> None:
        """Record the rules that apply to students from now on."""
        row = {"at": self._clock(), "actor": actor, "rules": json.dumps(rules)}
        with self._database.transaction() as connection:
            insert(connection, "class_rules", row)

    def rules(self) -> dict[str, Any]:
        """Return the latest recorded rules, or an empty dictionary."""
        sql = "SELECT rules FROM class_rules ORDER BY id DESC LIMIT 1"
        found = self._database.select(sql)
        return dict(json.loads(found[0]["rules"])) if found else {}


def _revoke(
    connection: sqlite3.Connection, table: str, column: str, value: str, actor: str
) -> None:
    """Revoke the valid rows of a table with this value in a column."""
    connection.execute(
        f"UPDATE {table} SET revoked_by = ? "  # noqa: S608 (names of this file)
        f"WHERE {column} = ? AND revoked_by IS NULL",
        (actor, value),
    )

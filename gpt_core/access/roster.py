"""Roster: the members of a class, without accounts: a name, a join code and a token.

Each browser that joins gets a random token. Only its hash is stored, so that the database lets no
reader sign in as a member.
"""

import hashlib
import hmac
import secrets
import threading
import time
import unicodedata
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from gpt_core.access.permissions import TEACHER, is_student, require_teacher
from gpt_core.store import RunStore
from gpt_core.system import printable

CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is easily misread
CODE_LENGTH = 6
MAX_MEMBER_NAME = 40
GONE_SECONDS = 75.0  # an open page reports every few seconds, a hidden one each minute
WRONG_TRIES, WRONG_TRIES_OF_ALL, WITHIN_SECONDS = 5, 60, 60.0


@dataclass(frozen=True)
class Member:
    """A member of the class: a student or the teacher."""

    id: str  # the actor
    name: str

    @property
    def is_teacher(self) -> bool:
        """Tell whether the member is the teacher, who may do everything."""
        return self.id == TEACHER


@dataclass(frozen=True)
class Presence:
    """Where and when a member was last seen."""

    page: str  # the page's title
    at: float  # by the roster's timer, in seconds


class Roster:
    """The members of a class, in the store, and its codes, in memory.

    Args:
        store: where the members are recorded.
        join_code: the students' code; None generates one.
        passphrase: the teacher's; None generates one.
        timer: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        store: RunStore,
        join_code: str | None = None,
        passphrase: str | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self.join_code = join_code or new_code()
        self.passphrase = passphrase or "-".join(new_code() for _ in range(3))
        self._timer = timer
        self._lock = threading.Lock()  # guards _wrong: two simultaneous guesses count as two
        self._joining = threading.Lock()  # guards the names: two simultaneous Annas get two names
        self._wrong: deque[tuple[float, str]] = deque()  # wrong codes: time, address
        self._presence: dict[str, Presence] = {}  # by member ID; replaced at each report

    def join(self, name: str, code: str, address: str) -> str:
        """Add a student to the class; return the token for their browser.

        Args:
            name: the name that they chose; a number is added if it is taken.
            code: the class's join code; case and spaces do not matter.
            address: where the request comes from; wrong codes are counted by address.

        Raises:
            ValueError: the code is wrong, too many were, or the name is empty or too long.
        """
        self._check(code, self.join_code, address, "The join code is wrong: ask your teacher.")
        name, token = _shown_name(name), secrets.token_urlsafe(32)
        with self._joining:
            taken = {TEACHER, *(member.name.casefold() for member in self.members())}
            number, wanted = 2, name
            while name.casefold() in taken:  # the second Anna becomes "Anna 2"
                name, number = f"{wanted} {number}", number + 1
            self._store.class_store.add_member(f"s-{secrets.token_hex(6)}", name, _hash(token))
        return token

    def sign_in_teacher(self, passphrase: str, address: str) -> str:
        """Return a token for the teacher's browser.

        Raises:
            ValueError: the passphrase is wrong, or too many were.
        """
        self._check(passphrase, self.passphrase, address, "The passphrase is wrong.")
        token = secrets.token_urlsafe(32)
        self._store.class_store.add_member(TEACHER, "Teacher", _hash(token))
        return token

    def who(self, token: str | None) -> Member | None:
        """Return the member that a token belongs to; None if it is unknown or revoked."""
        row = self._store.class_store.member(_hash(token)) if token else None
        return Member(row.member_id, row.name) if row else None

    def members(self) -> list[Member]:
        """Return the students in the class, in the order in which they joined."""
        rows = self._store.class_store.members()
        return [Member(r.member_id, r.name) for r in rows if is_student(r.member_id)]

    def note_presence(self, member_id: str, page: str) -> None:
        """Record that a member has a page open."""
        self._presence[member_id] = Presence(page, self._timer())

    def presence(self, member_id: str) -> Presence | None:
        """Return the page that a member has open; None if none reported recently."""
        seen = self._presence.get(member_id)
        return seen if seen and self._timer() - seen.at <= GONE_SECONDS else None

    def seen(self) -> list[Member]:
        """Return the students who opened a page since the class began."""
        return [member for member in self.members() if member.id in self._presence]

    def revoke(self, member_id: str, *, actor: str) -> None:
        """Revoke a member's tokens: their browsers are signed out.

        Raises:
            PermissionDenied: the actor is a student.
        """
        require_teacher(self._store, actor, "remove a student from the class")
        self._store.class_store.revoke_member(member_id, actor)

    def _check(self, given: str, wanted: str, address: str, wrong: str) -> None:
        """Check a code, and limit how many wrong ones an address may send.

        Raises:
            ValueError: the code is wrong, or too many were.
        """
        now = self._timer()
        with self._lock:
            while self._wrong and self._wrong[0][0] <= now - WITHIN_SECONDS:
                self._wrong.popleft()
            from_there = sum(where == address for _, where in self._wrong)
            if from_there >= WRONG_TRIES or len(self._wrong) >= WRONG_TRIES_OF_ALL:
                raise ValueError("Too many wrong codes: wait a minute, then try again.")
            if hmac.compare_digest(_bytes(_plain(given)), _bytes(_plain(wanted))):
                return
            self._wrong.append((now, address))
        raise ValueError(wrong)


def new_code() -> str:
    """Return a random code that is easy to read aloud, one of 31 ** 6 (0.9 billion)."""
    return "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))


def _plain(code: str) -> str:
    """Return a code in the form that is compared, without spaces and case."""
    return "".join(code.split()).casefold()


def _shown_name(name: str) -> str:
    """Return a name on one line, without invisible characters.

    Raises:
        ValueError: nothing is left, or the name is too long.
    """
    seen = " ".join(unicodedata.normalize("NFC", printable(name)).split())
    if not seen:
        raise ValueError("The name is empty: enter the name that the class will see.")
    if len(seen) > MAX_MEMBER_NAME:
        raise ValueError(f"The name is too long: use at most {MAX_MEMBER_NAME} characters.")
    return seen


def _hash(token: str) -> str:
    return hashlib.sha256(_bytes(token)).hexdigest()


def _bytes(text: str) -> bytes:
    """Return received text as bytes, even if it is not valid Unicode."""
    return text.encode(errors="surrogatepass")

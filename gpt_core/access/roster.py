"""ClassRoll: who belongs to a class, without accounts: a name, a join code, and a secret.

Whoever joins gets a random token for their browser to keep. Only its hash is stored: whoever reads
the database can be nobody with it.
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

CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another one
CODE_LENGTH = 6
MAX_MEMBER_NAME = 40
GONE_SECONDS = 75.0  # pages tell every few seconds that they are open; hidden ones, each minute
WRONG_TRIES, WRONG_TRIES_OF_ALL, WITHIN_SECONDS = 5, 60, 60.0


@dataclass(frozen=True)
class Member:
    """Somebody in the class: a student, or the teacher."""

    id: str  # the actor that the core knows
    name: str

    @property
    def is_teacher(self) -> bool:
        """Tell whether they may do everything."""
        return self.id == TEACHER


@dataclass(frozen=True)
class Presence:
    """Where somebody was last seen."""

    page: str  # its title
    at: float  # by the roll's clock


class Roster:
    """The members of a class, in the store; the codes, in memory.

    Args:
        store: where members are kept.
        join_code: what students give; None makes one up.
        passphrase: what the teacher gives; None makes one up.
        timer: a clock in seconds that never jumps.
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
        self._lock = threading.Lock()  # guards _wrong: two guesses at once count as two
        self._joining = threading.Lock()  # guards the names: two Annas at once are two
        self._wrong: deque[tuple[float, str]] = deque()  # when a wrong code came, and from where
        self._presence: dict[str, Presence] = {}  # by member; a page's tick replaces it

    def join(self, name: str, code: str, address: str) -> str:
        """Take a student into the class; return the token for their browser.

        Args:
            name: what they want to be called.
            code: the class's join code, in any case, spaces do not count.
            address: where they ask from: wrong codes are counted by it.

        Raises:
            ValueError: the code is wrong, too many were, or the name cannot be taken.
        """
        self._check(code, self.join_code, address, "The join code is wrong: ask your teacher.")
        name, token = _shown_name(name), secrets.token_urlsafe(32)
        with self._joining:
            taken = {TEACHER, *(member.name.casefold() for member in self.members())}
            number, wanted = 2, name
            while name.casefold() in taken:  # two Annas can be told apart
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
        """Return whose token this is; None if it is nobody's, or was revoked."""
        row = self._store.class_store.member(_hash(token)) if token else None
        return Member(row.member_id, row.name) if row else None

    def members(self) -> list[Member]:
        """Return the students who are in the class, in the order in which they came."""
        rows = self._store.class_store.members()
        return [Member(r.member_id, r.name) for r in rows if is_student(r.member_id)]

    def note_presence(self, member_id: str, page: str) -> None:
        """Take note that a member has a page open."""
        self._presence[member_id] = Presence(page, self._timer())

    def presence(self, member_id: str) -> Presence | None:
        """Return which page a member has open; None if none has told so for a while."""
        seen = self._presence.get(member_id)
        return seen if seen and self._timer() - seen.at <= GONE_SECONDS else None

    def seen(self) -> list[Member]:
        """Return the students who have been here since the class began."""
        return [member for member in self.members() if member.id in self._presence]

    def revoke(self, member_id: str, *, actor: str) -> None:
        """Take away somebody's tokens: their browser is nobody's from now on.

        Raises:
            PermissionDenied: it is not the teacher who asks.
        """
        require_teacher(self._store, actor, "send somebody out of the class")
        self._store.class_store.revoke_member(member_id, actor)

    def _check(self, given: str, wanted: str, address: str, wrong: str) -> None:
        """Raise ValueError unless a code is right; wrong ones are counted, and soon refused."""
        now = self._timer()
        with self._lock:
            while self._wrong and self._wrong[0][0] <= now - WITHIN_SECONDS:
                self._wrong.popleft()
            from_there = sum(where == address for _, where in self._wrong)
            if from_there >= WRONG_TRIES or len(self._wrong) >= WRONG_TRIES_OF_ALL:
                raise ValueError("Too many wrong codes came: wait a minute, then try again.")
            if hmac.compare_digest(_bytes(_plain(given)), _bytes(_plain(wanted))):
                return
            self._wrong.append((now, address))
        raise ValueError(wrong)


def new_code() -> str:
    """Return a random code that one can read aloud: 31 ** 6 of them, 0.9 thousand million."""
    return "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))


def _plain(code: str) -> str:
    """Return a code as it is compared: however it was written."""
    return "".join(code.split()).casefold()


def _shown_name(name: str) -> str:
    """Return a name on one line, without what cannot be seen.

    Raises:
        ValueError: nothing is left of it, or it is too long.
    """
    seen = " ".join(unicodedata.normalize("NFC", printable(name)).split())
    if not seen:
        raise ValueError("The name is empty: enter what the class shall call you.")
    if len(seen) > MAX_MEMBER_NAME:
        raise ValueError(f"The name is too long: {MAX_MEMBER_NAME} characters are the most.")
    return seen


def _hash(token: str) -> str:
    return hashlib.sha256(_bytes(token)).hexdigest()


def _bytes(text: str) -> bytes:
    """Return what somebody sent as bytes, be it no text at all."""
    return text.encode(errors="surrogatepass")

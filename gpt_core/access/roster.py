"""Roster: the members of a class, without accounts: a name, a join code and a token.

Each browser that joins gets a random token, and from it a rejoin code, with which its student
returns from another browser. Only their hashes are stored, so that the database lets no reader
sign in as a member.
"""

import hashlib
import hmac
import logging
import secrets
import sqlite3
import threading
import time
import unicodedata
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from gpt_core.access.permissions import TEACHER, is_student, require_teacher
from gpt_core.access.tries import Tries
from gpt_core.store import RunStore
from gpt_core.system import printable

log = logging.getLogger(__name__)

CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is easily misread
CODE_LENGTH, REJOIN_LENGTH = 6, 8
MAX_MEMBER_NAME = 40
GONE_SECONDS = 75.0  # an open page reports every few seconds, a hidden one each minute
SCHOOL_DAY_HOURS = 10
MAX_JOINS, JOINS_SECONDS = 60, 30.0  # new students within a time, from all addresses
# Characters that are invisible but no format characters, by their code points: fillers, joiners,
# variation selectors.
IGNORED = {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)}
IGNORED |= set(range(0xE0100, 0xE01F0))


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
        hours: how long a browser stays signed in; None means a school day.
    """

    def __init__(
        self,
        store: RunStore,
        join_code: str | None = None,
        passphrase: str | None = None,
        timer: Callable[[], float] = time.monotonic,
        hours: int | None = None,
    ) -> None:
        self._store = store
        self.signed_in_seconds = 3600 * (hours or SCHOOL_DAY_HOURS)
        # Of tokens: with another passphrase they end. One that is generated at each start ends the
        # teacher's alone: a restart signs no student out.
        self._key = passphrase or ""
        self.join_code = join_code or new_code()
        self.passphrase = passphrase or "-".join(new_code() for _ in range(3))
        self._timer = timer
        self._tries = Tries(timer)
        self._joining = threading.Lock()  # guards the names: two simultaneous Annas get two names
        self._joined: deque[float] = deque(maxlen=MAX_JOINS)  # when the last new students joined
        self._is_open = True
        self._unrecorded: set[str] = set()  # hashes of the teacher's tokens that are not stored
        self._tabs: Counter[str] = Counter()  # open pages by member ID; changed by one thread
        self._presence: dict[str, Presence] = {}  # by member ID; replaced at each report

    def join(self, name: str, code: str, address: str) -> str:
        """Let a student into the class, as a new member or again; return a token for the browser.

        Args:
            name: the name that they chose; a number is added if it is taken.
            code: the class's join code or, of a student who returns, a rejoin code of theirs;
                case and spaces do not matter.
            address: where the request comes from; tries are counted by address.

        Raises:
            ValueError: the code is wrong, the name is empty or too long, or the teacher or the
                number of those who join at this moment lets no new student in.
        """
        member_id = self._joins_as(name, code)
        if member_id is None:
            raise ValueError("The join code is wrong: ask your teacher.")
        self._tries.forgive(address, _opens(name, code))
        token = secrets.token_urlsafe(32)
        if member_id:  # with a rejoin code
            name = self._store.class_store.names()[member_id]
            self._store.class_store.add_member(member_id, name, _hash(token, self._key))
        else:
            member_id, name = f"s-{secrets.token_hex(6)}", _shown_name(name)
            with self._joining:
                self._require_room()
                taken = self._taken_names()
                number, wanted = 2, name
                while _compared(name) in taken:  # the second Anna becomes "Anna 2"
                    name, number = f"{wanted} {number}", number + 1
                self._store.class_store.add_member(member_id, name, _hash(token, self._key))
        self._add_rejoin_code(member_id, token)
        return token

    def _joins_as(self, name: str, code: str) -> str | None:
        """Return as which member a student joins: "" as a new one, None if the code is wrong."""
        if _is_equal(code, self.join_code):
            return ""
        code, name = _without_hyphens(code), _compared(name)
        if len(code) != REJOIN_LENGTH:
            return None
        names = self._store.class_store.names()
        for row in self._store.class_store.rejoin_codes():
            if _compared(names[row.member_id]) == name and hmac.compare_digest(
                _code_hash(code, row.member_id), row.code_hash
            ):
                return row.member_id
        return None

    def _taken_names(self) -> set[str]:
        """Return the names, as they are compared, of the members and of those who may return."""
        names = self._store.class_store.names()
        returning = (names[row.member_id] for row in self._store.class_store.rejoin_codes())
        present = (member.name for member in self.members())
        return {TEACHER, *(_compared(name) for name in (*returning, *present))}

    def _require_room(self) -> None:
        """Count a new student.

        Raises:
            ValueError: the door is closed, or too many join at once.
        """
        if not self._is_open:
            raise ValueError(
                "Your teacher has closed the class to new students: ask them to open it, or "
                "return with your name and your rejoin code."
            )
        if self.count_joined() >= MAX_JOINS:
            raise ValueError("Very many are joining: wait half a minute, then try again.")
        self._joined.append(self._timer())

    def count_joined(self) -> int:
        """Return the number of new students in the last half minute."""
        since = self._timer() - JOINS_SECONDS
        return sum(at > since for at in self._joined.copy())

    @property
    def is_open(self) -> bool:
        """Tell whether new students may join; those who were here return in any case."""
        return self._is_open

    def set_open(self, is_open: bool, *, actor: str) -> None:
        """Let new students join, or no more of them until the app starts again.

        Raises:
            PermissionDenied: the actor is a student.
        """
        require_teacher(self._store, actor, "close or open the class to new students")
        with self._joining:  # after this none is still on the way in
            self._is_open = is_open

    def seconds_to_wait(self, address: str, name: str | None = None, code: str = "") -> float:
        """Count a try of a code; return how long it must wait before it is checked.

        Args:
            address: where it comes from.
            name: the student's; None for the teacher, who has a passphrase.
            code: a student's join code or rejoin code.
        """
        return self._tries.begin(address, _opens(name, code))

    def rejoin_code(self, token: str) -> str | None:
        """Return the rejoin code of a student's browser; None if a newer one has replaced it."""
        member = self.who(token)
        if member is None or member.is_teacher:
            return None
        is_valid = self._store.class_store.is_rejoin_code_valid(_hash(token, self._key))
        if is_valid is None:  # it joined before there were rejoin codes
            self._add_rejoin_code(member.id, token)
        return None if is_valid is False else _shown_code(_code_of(token))

    def issue_rejoin_code(self, member_id: str, *, actor: str) -> str:
        """Return a new rejoin code for a student, which replaces their others.

        Raises:
            PermissionDenied: the actor is a student.
            ValueError: there is no such student.
        """
        require_teacher(self._store, actor, "issue rejoin codes")
        if not is_student(member_id) or member_id not in self._store.class_store.names():
            raise ValueError(f"There is no student {member_id}: choose one of the class.")
        code = new_code(REJOIN_LENGTH)
        self._store.class_store.add_rejoin_code(member_id, _code_hash(code, member_id), None, actor)
        return _shown_code(code)

    def _add_rejoin_code(self, member_id: str, token: str) -> None:
        code_hash = _code_hash(_code_of(token), member_id)
        self._store.class_store.add_rejoin_code(
            member_id, code_hash, _hash(token, self._key), member_id
        )

    def sign_out(self, token: str) -> None:
        """Sign out the browser of a token; its member's runs and rejoin codes stay."""
        member = self.who(token)
        if member is not None:
            self._unrecorded.discard(_hash(token, self.passphrase))
            key = self.passphrase if member.is_teacher else self._key
            self._store.class_store.revoke_browser(_hash(token, key), member.id)

    def sign_in_teacher(self, passphrase: str, address: str) -> str:
        """Return a token for the teacher's browser.

        Raises:
            ValueError: the passphrase is wrong.
        """
        if not _is_equal(passphrase, self.passphrase):
            raise ValueError("The passphrase is wrong.")
        self._tries.forgive(address, _opens())
        token = secrets.token_urlsafe(32)
        token_hash = _hash(token, self.passphrase)
        try:
            self._store.class_store.add_member(TEACHER, "Teacher", token_hash)
        except sqlite3.Error:  # a full disk, which the teacher comes to make room on
            log.exception("the teacher's sign-in could not be recorded: it ends with this process")
            self._unrecorded.add(token_hash)
        return token

    def who(self, token: str | None) -> Member | None:
        """Return the member that a token belongs to; None if it is unknown or revoked."""
        if not token:
            return None
        if _hash(token, self.passphrase) in self._unrecorded:
            return Member(TEACHER, "Teacher")
        for key in dict.fromkeys((self._key, self.passphrase)):
            row = self._store.class_store.member(_hash(token, key), self.signed_in_seconds)
            if row is not None:
                return Member(row.member_id, row.name)
        return None

    def members(self) -> list[Member]:
        """Return the students in the class, in the order in which they joined."""
        rows = self._store.class_store.members()
        found = (Member(r.member_id, r.name) for r in rows if is_student(r.member_id))
        return list(dict.fromkeys(found))  # each once, whatever their number of browsers

    def note_presence(self, member_id: str, page: str) -> None:
        """Record that a member has a page open."""
        self._presence[member_id] = Presence(page, self._timer())

    def presence(self, member_id: str) -> Presence | None:
        """Return the page that a member has open; None if none reported recently."""
        seen = self._presence.get(member_id)
        return seen if seen and self._timer() - seen.at <= GONE_SECONDS else None

    def open_tab(self, member_id: str) -> None:
        """Count a page that a member has opened."""
        self._tabs[member_id] += 1

    def close_tab(self, member_id: str) -> None:
        """Count a page no longer."""
        self._tabs[member_id] -= 1
        if not self._tabs[member_id]:
            del self._tabs[member_id]

    def tabs(self, member_id: str) -> int:
        """Return how many pages a member has open."""
        return self._tabs[member_id]

    def count_visitors(self) -> int:
        """Return how many members have a page open."""
        return len(self._tabs)

    def seen(self) -> list[Member]:
        """Return the students who opened a page since the class began."""
        return [member for member in self.members() if member.id in self._presence]

    def revoke(self, member_id: str, *, actor: str) -> None:
        """Revoke a member's tokens and rejoin codes: their browsers are signed out.

        Raises:
            PermissionDenied: the actor is a student.
        """
        require_teacher(self._store, actor, "remove a student from the class")
        self._store.class_store.revoke_member(member_id, actor)


def new_code(length: int = CODE_LENGTH) -> str:
    """Return a random code that is easy to read aloud; of 6 letters there are 0.9 billion."""
    return "".join(secrets.choice(CODE_LETTERS) for _ in range(length))


def _code_of(token: str) -> str:
    """Return the rejoin code of a browser's token, from which the token cannot be found."""
    number = int.from_bytes(hmac.digest(_bytes(token), b"rejoin", "sha256"), "big")
    letters = []
    for _ in range(REJOIN_LENGTH):
        number, letter = divmod(number, len(CODE_LETTERS))
        letters.append(CODE_LETTERS[letter])
    return "".join(letters)


def _shown_code(code: str) -> str:
    """Return a rejoin code in two halves, as it is shown."""
    half = REJOIN_LENGTH // 2
    return f"{code[:half]}-{code[half:]}"


def _code_hash(code: str, member_id: str) -> str:
    """Return the hash of a rejoin code: slow (50 ms), because a short code can be guessed."""
    return hashlib.scrypt(_bytes(code), salt=_bytes(member_id), n=2**14, r=8, p=1).hex()


def _is_equal(given: str, wanted: str) -> bool:
    """Tell whether two codes are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(_bytes(_plain(given)), _bytes(_plain(wanted)))


def _plain(code: str) -> str:
    """Return a code in the form that is compared, without spaces and case."""
    return "".join(code.split()).casefold()


def _without_hyphens(code: str) -> str:
    """Return a rejoin code in the form that is compared."""
    return _plain(code).replace("-", "")


def _opens(name: str | None = None, code: str = "") -> str:
    """Return what a try wants to open, by which it is counted."""
    if name is None:
        return TEACHER
    is_rejoin = len(_without_hyphens(code)) == REJOIN_LENGTH
    return f"student {_compared(name)}" if is_rejoin else "class"


def _compared(name: str) -> str:
    """Return a name in the form that is compared: what looks alike to the eye is one name.

    Without case, invisible characters and the variants of a letter that NFKC makes one.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = (
        char
        for char in folded
        if char.isspace() or (unicodedata.category(char)[0] != "C" and ord(char) not in IGNORED)
    )
    return " ".join("".join(seen).split())


def _shown_name(name: str) -> str:
    """Return a name on one line, without invisible characters.

    Raises:
        ValueError: nothing is left, or the name is too long.
    """
    seen = _on_one_line(name)
    if not seen or not _compared(seen):
        raise ValueError("The name is empty: enter the name that the class will see.")
    if len(seen) > MAX_MEMBER_NAME:
        raise ValueError(f"The name is too long: use at most {MAX_MEMBER_NAME} characters.")
    return seen


def _on_one_line(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", printable(name)).split())


def _hash(token: str, key: str) -> str:
    """Return the hash of a browser's token, with which a passphrase is part of it, unless ""."""
    if key:
        return hmac.digest(_bytes(_plain(key)), _bytes(token), "sha256").hex()
    return hashlib.sha256(_bytes(token)).hexdigest()


def _bytes(text: str) -> bytes:
    """Return received text as bytes, even if it is not valid Unicode."""
    return text.encode(errors="surrogatepass")

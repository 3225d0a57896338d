"""Tries of codes: each is counted by its address and by what it wants to open, and delayed."""

import threading
from collections import Counter, deque
from collections.abc import Callable

WITHIN_SECONDS = 60.0
FREE_TRIES = 30  # within a minute: a whole class may arrive at once, from one router's address
DELAY_SECONDS = 0.1  # for each try beyond these
MAX_DELAY_SECONDS = 5.0


class Tries:
    """The tries of the last minute that were not right.

    The more there were, the longer the next one waits, up to a limit: a wall would let a stranger
    keep out those who know the code. With the limits on a listener's connections, at most some
    fifty codes a second of one address are checked, of 0.9 billion. A try counts from its
    beginning, so that many at once are delayed as well as one after the other.

    Args:
        timer: a monotonic clock, in seconds.
    """

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._lock = threading.Lock()
        self._tries: deque[tuple[float, str]] = deque()  # when, what: the oldest first
        self._counts: Counter[str] = Counter()  # by what
        self._right: Counter[str] = Counter()  # taken out of the counts, but still in _tries

    def begin(self, address: str, opens: str) -> float:
        """Count a try; return how many seconds it must wait.

        Args:
            address: where it comes from.
            opens: what it wants to open: the class, a student's place, the teacher's.
        """
        now = self._timer()
        with self._lock:
            while self._tries and self._tries[0][0] <= now - WITHIN_SECONDS:
                self._forget(self._tries.popleft()[1])
            counts = []
            for what in _keys(address, opens):
                self._tries.append((now, what))
                self._counts[what] += 1
                counts.append(self._counts[what])
        beyond = max(0, max(counts) - FREE_TRIES)
        return min(beyond * DELAY_SECONDS, MAX_DELAY_SECONDS)

    def forgive(self, address: str, opens: str) -> None:
        """Take back a try, which was right."""
        with self._lock:
            for what in _keys(address, opens):
                if self._counts[what] > 0:
                    self._counts[what] -= 1
                    self._right[what] += 1

    def _forget(self, what: str) -> None:
        """Take an expired try out of the counts, unless it was right."""
        counter = self._right if self._right[what] else self._counts
        counter[what] -= 1
        if counter[what] <= 0:
            del counter[what]


def _keys(address: str, opens: str) -> tuple[str, str]:
    return f"from {address}", f"opens {opens}"

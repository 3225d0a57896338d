"""Turns: at most so many do something at once, and each waits for a turn."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MAX_READERS = 2  # each takes a core, and memory that the training could use
POLL_SECONDS = 0.25  # between two calls of a Watch

# Called several times a second in the thread that waits, with what it waits for, as a sentence.
# What it raises ends the waiting, and what was waited for.
Watch = Callable[[str], object]


class ReadingTurns:
    """Turns to read files from elsewhere: at most so many are read at once.

    The next turn is given to the owner whose last turn began longest ago: whoever opens many files
    waits for those who open few.
    """

    def __init__(self, most: int = MAX_READERS) -> None:
        self._most = most
        self._changed = threading.Condition()  # guards the rest
        self._reading = 0
        self._waiting: list[tuple[str, object]] = []  # owners, each with a mark of its own
        self._served: list[str] = []  # owners, by when their last turn began

    @contextmanager
    def turn(self, owner: str, watch: Watch | None = None) -> Iterator[None]:
        """Wait for a turn, and have it until the end of the block.

        ``watch`` is told what it waits for; what it raises ends the waiting.
        """
        self._wait(owner, watch)
        try:
            yield
        finally:
            with self._changed:
                self._reading -= 1
                self._changed.notify_all()

    def _wait(self, owner: str, watch: Watch | None) -> None:
        ticket = owner, object()
        with self._changed:
            self._waiting.append(ticket)
        try:
            while not self._begin(ticket):
                if watch is not None:  # without the lock: what a page shows may take its time
                    watch("Waiting for its turn: other files are being read.")
        finally:
            with self._changed:
                self._waiting = [other for other in self._waiting if other is not ticket]
                self._changed.notify_all()

    def _begin(self, ticket: tuple[str, object]) -> bool:
        """Begin a turn, or wait a moment for it; return whether it has begun."""
        with self._changed:
            if not self._is_next(ticket):
                self._changed.wait(POLL_SECONDS)
            if not self._is_next(ticket):
                return False
            self._reading += 1
            self._waiting.remove(ticket)
            self._served = [*(other for other in self._served if other != ticket[0]), ticket[0]]
            return True

    def _is_next(self, ticket: tuple[str, object]) -> bool:
        def served(waiting: tuple[str, object]) -> int:
            return self._served.index(waiting[0]) if waiting[0] in self._served else -1

        return self._reading < self._most and min(self._waiting, key=served) is ticket

"""Turns: the pages of one member are drawn one after the other, however many tabs click."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

LONG_SECONDS = 2.0  # a page that takes longer waits for a file or a model, and computes little here
MAX_REST_SECONDS = 1.0


@dataclass
class _Line:
    """The pages of a member: those that are being drawn, and how many wait."""

    began: list[float] = field(default_factory=list)
    waiting: int = 0
    rests_until: float = 0.0


class PageTurns:
    """Lets each member's pages be drawn one at a time, with a rest as long as the drawing between.

    Python computes in one thread at a time, and training asks for its turn at each operation: ten
    threads that draw for one member leave it, and the others' pages, a tenth. With turns a member
    with many tabs takes at most half of a thread, and waits for it in their own tabs. Who has one
    tab never waits: a tab is drawn in one thread anyway.

    Args:
        timer: a monotonic clock, in seconds.
    """

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._changed = threading.Condition()  # guards _lines; notified at the end of each turn
        self._lines: dict[str, _Line] = {}  # by member ID, while a page is drawn or waits
        self._here = threading.local()  # whether this thread has a turn: a page holds fragments

    @contextmanager
    def turn(self, member_id: str) -> Iterator[None]:
        """Draw in this block, once the member's other pages are drawn."""
        if getattr(self._here, "has_turn", False):
            yield
            return
        began = self._begin(member_id)
        self._here.has_turn = True
        try:
            yield
        finally:
            self._here.has_turn = False
            self._end(member_id, began)

    def _begin(self, member_id: str) -> float:
        with self._changed:
            line = self._lines.setdefault(member_id, _Line())
            line.waiting += 1
            while (seconds := self._seconds_to_wait(line)) > 0:
                self._changed.wait(seconds)
            line.waiting -= 1
            began = self._timer()
            line.began.append(began)
            return began

    def _seconds_to_wait(self, line: _Line) -> float:
        now = self._timer()
        drawing = [began + LONG_SECONDS - now for began in line.began]
        return max([line.rests_until - now, *drawing])

    def _end(self, member_id: str, began: float) -> None:
        with self._changed:
            line = self._lines[member_id]
            line.began.remove(began)
            if line.waiting:
                now = self._timer()
                line.rests_until = now + min(now - began, MAX_REST_SECONDS)
            elif not line.began:
                del self._lines[member_id]
            self._changed.notify_all()

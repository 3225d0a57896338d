"""FairQueue: the order in which waiting runs begin. The owners take turns."""

import math
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from gpt_core.access import is_student


@dataclass(frozen=True)
class QueuedRun:
    """A run that waits in the queue or trains, and its owner."""

    run_id: str
    owner: str


def next_run(
    waiting: Sequence[QueuedRun],
    running: Collection[str],
    served: Sequence[str],
    first: Sequence[str] = (),
) -> QueuedRun | None:
    """Return the run that begins next, or None if none may.

    The owner who has waited longest for a turn comes first: an owner without a turn so far, or
    else the owner whose last turn is longest ago. A student has at most one running run. The
    local user and the teacher have no such limit.

    Args:
        waiting: the queue, in order of arrival.
        running: the owners of the running runs.
        served: the owners in order of their last turns, the latest last; each once.
        first: IDs of runs that come before all others, in this order.
    """
    allowed = [run for run in waiting if not (is_student(run.owner) and run.owner in running)]
    turns = {owner: place for place, owner in enumerate(served)}
    places = {run_id: place for place, run_id in enumerate(first)}

    def rank(run: QueuedRun) -> tuple[float, int]:
        return places.get(run.run_id, math.inf), turns.get(run.owner, -1)

    return min(allowed, key=rank, default=None)


class FairQueue:
    """The order of turns over time. Any thread may ask; only the training thread takes a run.

    The callers pass the queue. This class holds only the owners' past turns and the teacher's
    changes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _served and _first
        self._served: list[str] = []  # owners, in order of their last turns
        self._first: list[str] = []  # run IDs, in the teacher's order
        self.held = False  # if True, no student's run begins
        self.occupied = False  # if True, no run begins: other processes train on this machine

    def take(self, waiting: Sequence[QueuedRun], running: Collection[str]) -> QueuedRun | None:
        """Return the run that begins now, or None if none may, and note its owner's turn."""
        if self.occupied:
            return None
        if self.held:
            waiting = [run for run in waiting if not is_student(run.owner)]
        with self._lock:
            run = next_run(waiting, running, self._served, self._first)
            if run is not None:
                self._served = _served_last(self._served, run.owner)
                self._first = [run_id for run_id in self._first if run_id != run.run_id]
            return run

    def expected_starts(
        self,
        waiting: Sequence[QueuedRun],
        running: Sequence[QueuedRun],
        places: int,
        seconds: Mapping[str, float],
    ) -> dict[str, float]:
        """Return in how many seconds each waiting run begins, the next one first.

        Args:
            waiting: the queue, in order of arrival.
            running: the running runs.
            places: how many runs train by turns.
            seconds: the remaining seconds of each run, waiting or running; infinite if missing.
        """
        with self._lock:
            served, first = self._served, self._first
        left, now, starts = list(waiting), math.inf if self.occupied else 0.0, {}
        busy = [(seconds.get(run.run_id, math.inf), run.owner) for run in running]
        while left:
            run = next_run(left, [owner for _, owner in busy], served, first)
            if run is None or len(busy) >= places:  # wait for the run that ends first
                soonest = min(busy, key=lambda ending: ending[0])
                busy.remove(soonest)
                now = max(now, soonest[0])
                continue
            left.remove(run)
            starts[run.run_id] = now
            served = _served_last(served, run.owner)
            busy.append((now + seconds.get(run.run_id, math.inf), run.owner))
        return starts

    def move(self, run_id: str, place: int, order: Sequence[str]) -> None:
        """Move a run to a position in the expected order of the waiting runs.

        The runs before that position keep their order from now on. Those behind it, and runs
        that are queued later, take their turns after them.

        Args:
            run_id: a waiting run; others are ignored.
            place: the position; 0 is next.
            order: the IDs of the waiting runs, in the order in which they are expected to begin.
        """
        if run_id in order:
            others = [other for other in order if other != run_id]
            others.insert(place, run_id)
            with self._lock:
                fixed = max(place + 1, len([r for r in self._first if r in order]))
                self._first = others[:fixed]


def _served_last(served: Sequence[str], owner: str) -> list[str]:
    return [*(other for other in served if other != owner), owner]

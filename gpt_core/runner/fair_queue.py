"""FairQueue: whose turn it is. Runs wait in one queue per owner, and the owners take turns."""

import math
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from gpt_core.access import is_student


@dataclass(frozen=True)
class QueuedRun:
    """A run in the queue, or one that has left it and trains."""

    run_id: str
    owner: str


def next_run(
    waiting: Sequence[QueuedRun],
    running: Collection[str],
    served: Sequence[str],
    first: Sequence[str] = (),
) -> QueuedRun | None:
    """Return the run that begins next, or None if none may.

    The owner who has waited longest for a turn comes first: one who has not had any, or else
    the one whose last is longest ago. Each student has one running run at a time; the others,
    who are alone on the machine, as many as there are places.

    Args:
        waiting: the queue, in the order of arrival.
        running: the owners of the runs that are running.
        served: the owners in the order of their last turns, the latest last; each once.
        first: the IDs of runs that come before all others, in this order.
    """
    allowed = [run for run in waiting if not (is_student(run.owner) and run.owner in running)]
    turns = {owner: place for place, owner in enumerate(served)}
    places = {run_id: place for place, run_id in enumerate(first)}

    def rank(run: QueuedRun) -> tuple[float, int]:
        return places.get(run.run_id, math.inf), turns.get(run.owner, -1)

    return min(allowed, key=rank, default=None)


class FairQueue:
    """Whose turn it is, as it goes on: any thread asks, the one that trains takes.

    The queue itself is whoever asks': here stands only who has had turns, and what the teacher
    wants otherwise.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the two below
        self._served: list[str] = []  # owners by their last turn
        self._first: list[str] = []  # IDs of runs, as the teacher has put them
        self.held = False  # no student's run begins

    def take(self, waiting: Sequence[QueuedRun], running: Collection[str]) -> QueuedRun | None:
        """Return the run that begins now, or None if none may: its owner has had a turn."""
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
        """Return in how many seconds each waiting run begins, in the order in which they will.

        Args:
            waiting: the queue, in the order of arrival.
            running: the runs that are running.
            places: how many may at once.
            seconds: how long each run, waiting or running, still takes; where it is not known,
                infinitely long.
        """
        with self._lock:
            served, first = self._served, self._first
        left, now, starts = list(waiting), 0.0, {}
        busy = [(seconds.get(run.run_id, math.inf), run.owner) for run in running]
        while left:
            run = next_run(left, [owner for _, owner in busy], served, first)
            if run is None or len(busy) >= places:  # the first that is done makes place
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
        """Put a run at a place of the order in which the runs are expected to begin.

        What comes before that place keeps its order from now on; those behind, and runs that come
        later, take their turns after them.

        Args:
            run_id: a waiting run; of any other nothing becomes.
            place: 0 is next.
            order: the IDs of the waiting runs, as they are expected.
        """
        if run_id in order:
            others = [other for other in order if other != run_id]
            others.insert(place, run_id)
            with self._lock:
                fixed = max(place + 1, len([r for r in self._first if r in order]))
                self._first = others[:fixed]


def _served_last(served: Sequence[str], owner: str) -> list[str]:
    return [*(other for other in served if other != owner), owner]

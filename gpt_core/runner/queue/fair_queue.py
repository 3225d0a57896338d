"""FairQueue: the order in which waiting runs begin. The owners take turns."""

import math
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from gpt_core.access import is_student


@dataclass(frozen=True)
class QueuedRun:
    """A run that waits in the queue or trains.

    Its places are the numbers of devices: those of which one may train it, or the one that does.
    A run of several processes trains on all of them at once, and alone.
    """

    run_id: str
    owner: str
    places: frozenset[int] = frozenset({0})
    needs_all: bool = False


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


def allowed_at(place: int, waiting: Sequence[QueuedRun]) -> list[QueuedRun]:
    """Return the runs that one device may train, out of all that wait, in order of arrival.

    What was queued behind a run of several processes does not begin on its devices before it.
    """
    fitting = [run for run in waiting if place in run.places]
    return list(takewhile(lambda run: not run.needs_all, fitting))


def has_its_places(
    run: QueuedRun, waiting: Sequence[QueuedRun], running: Sequence[QueuedRun]
) -> bool:
    """Tell whether a run of several processes may begin: no other needs its devices before it."""
    earlier = takewhile(lambda other: other.run_id != run.run_id, waiting)
    return all(run.places.isdisjoint(other.places) for other in (*running, *earlier))


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

    def take(self, waiting: Sequence[QueuedRun], running: Collection[str]) -> QueuedRun | None:
        """Return the run that begins now, or None if none may, and note its owner's turn."""
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
        rooms: Sequence[int],
        seconds: Mapping[str, float],
    ) -> dict[str, float]:
        """Return in how many seconds each waiting run begins, the next one first.

        Args:
            waiting: the queue, in order of arrival.
            running: the running runs.
            rooms: how many runs each device trains by turns.
            seconds: the remaining seconds of each run, waiting or running; infinite if missing.
        """
        with self._lock:
            served, first = self._served, self._first
        left, now, starts = list(waiting), 0.0, {}
        busy = [(seconds.get(run.run_id, math.inf), run) for run in running]
        while left:
            run = _next_start(left, [run for _, run in busy], rooms, served, first)
            if run is None:  # wait for the run that ends first
                soonest = min(busy, key=lambda ending: ending[0])
                busy.remove(soonest)
                now = max(now, soonest[0])
                continue
            left = [other for other in left if other.run_id != run.run_id]
            starts[run.run_id] = now
            served = _served_last(served, run.owner)
            busy.append((now + seconds.get(run.run_id, math.inf), run))
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


def _next_start(
    waiting: Sequence[QueuedRun],
    running: Sequence[QueuedRun],
    rooms: Sequence[int],
    served: Sequence[str],
    first: Sequence[str],
) -> QueuedRun | None:
    """Return the run that begins next on any device, with its place, or None if none may."""
    for shared in waiting:
        if shared.needs_all and has_its_places(shared, waiting, running):
            return shared
    owners = [run.owner for run in running]
    at = {place: [run for run in running if place in run.places] for place in range(len(rooms))}
    for place in sorted(at, key=lambda place: len(at[place])):  # the emptiest first
        if len(at[place]) < rooms[place] and not any(run.needs_all for run in at[place]):
            run = next_run(allowed_at(place, waiting), owners, served, first)
            if run is not None:
                return replace(run, places=frozenset({place}))
    return None


def _served_last(served: Sequence[str], owner: str) -> list[str]:
    return [*(other for other in served if other != owner), owner]

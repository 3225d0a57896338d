"""Whose turn it is: runs wait in one queue per owner, and the owners take turns."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from gpt_core.rights import is_student


@dataclass(frozen=True)
class Waiting:
    """A run in the queue."""

    run_id: str
    owner: str


def next_run(
    waiting: Sequence[Waiting], running: Collection[str], served: Sequence[str]
) -> Waiting | None:
    """Return the run that begins next, or None if none may.

    The owner who has waited longest for a turn comes first: one who has not had any, or else
    the one whose last is longest ago. Each student has one running run at a time; the others,
    who are alone on the machine, as many as there are places.

    Args:
        waiting: the queue, in the order of arrival.
        running: the owners of the runs that are running.
        served: the owners in the order of their last turns, the latest last; each once.
    """
    allowed = [run for run in waiting if not (is_student(run.owner) and run.owner in running)]
    turns = {owner: place for place, owner in enumerate(served)}
    return min(allowed, key=lambda run: turns.get(run.owner, -1), default=None)


def expected_order(
    waiting: Sequence[Waiting], running: Sequence[str], served: Sequence[str]
) -> list[str]:
    """Return the IDs of the waiting runs in the order in which they will begin.

    As if each of the running ones, and then each that has begun, ended in its turn.
    """
    left, busy, turns, order = list(waiting), list(running), list(served), []
    while left:
        run = next_run(left, busy, turns)
        if run is None:  # only of owners who are busy: the first of them ends
            busy.pop(0)
            continue
        left.remove(run)
        order.append(run.run_id)
        turns = [*(owner for owner in turns if owner != run.owner), run.owner]
        busy = [*busy[1:], run.owner]
    return order

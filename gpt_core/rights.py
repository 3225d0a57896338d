"""Who may change a run: whoever owns it, and the teacher. Everybody may look.

Without a class there is one actor, "local", who may do everything; so may "teacher". Any other
name is a student's.
"""

import logging
import sqlite3

from gpt_core import locks
from gpt_core.run import Run
from gpt_core.store import RunStore

log = logging.getLogger(__name__)

LOCAL, TEACHER = "local", "teacher"


class NotAllowed(ValueError):
    """Somebody asked for what only another may do; it was not done, and is on record."""


def is_student(actor: str) -> bool:
    """Tell whether an actor may change no runs but their own."""
    return actor not in (LOCAL, TEACHER)


def find_own_run(store: RunStore, run_id: str, actor: str, doing: str) -> Run:
    """Return a run that the actor may change.

    Args:
        store: where the run is, and where a refusal is written down.
        run_id: the run.
        actor: who asks.
        doing: what for, in words: "delete".

    Raises:
        NotAllowed: it is somebody else's.
        ValueError: there is no such run.
    """
    run = locks.find_run(store, run_id)
    if is_student(actor) and actor != run.owner:
        try:
            store.add_refusal(run_id, actor, doing)
        except sqlite3.Error:  # a full disk must not let anybody through
            log.exception("a refusal could not be written down")
        raise NotAllowed(
            f"Run {run_id} is somebody else's: only its owner or the teacher may {doing} it."
        )
    return run

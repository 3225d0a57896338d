"""Who may read and change a run.

Its owner and the teacher may change it. Everyone may see its curves. Its text, samples and weights
are visible to its owner and the teacher, and to everyone if nothing in it is private. Without a
class the only actor is "local", who may do everything, as "teacher" may. Any other actor is a
student's ID.
"""

import logging
import sqlite3
from typing import NoReturn

from gpt_core.store import Run, RunStore, Share, Shared, ShareKind, run_locks
from gpt_core.text import public_texts

log = logging.getLogger(__name__)

LOCAL, TEACHER = "local", "teacher"
NOBODY = "nobody"  # the actor of a browser that is not, or no longer, in the class


class PermissionDenied(ValueError):
    """The actor may not do this; nothing was done, and a member's refusal is recorded."""


def is_student(actor: str) -> bool:
    """Tell whether an actor is a student, who may change only their own runs."""
    return actor not in (LOCAL, TEACHER)


def is_open(run: Run, shared: Shared) -> bool:
    """Tell whether everyone may read a run's text, samples and weights.

    They may if its owner shares the run, or if nothing in it is private: it began with random
    weights, and its text comes with the app or is shared. A share counts if the run's owner or the
    teacher made it: another student may have the same text, and shares only their own copy.
    """

    def is_shared(kind: ShareKind, key: str) -> bool:
        return any(Share(kind, key, owner) in shared for owner in (run.owner, LOCAL, TEACHER))

    is_public = run.text_sha256 in public_texts() or is_shared(ShareKind.TEXT, run.text_sha256)
    return is_shared(ShareKind.RUN, run.id) or (is_public and not run.initial_sha256)


def may_look_inside(run: Run, actor: str, shared: Shared) -> bool:
    """Tell whether an actor may see a run's text, samples and weights."""
    return not is_student(actor) or actor == run.owner or is_open(run, shared)


def require_class_member(actor: str) -> None:
    """Refuse the actor of a browser that is not in the class; it may not even read.

    Raises:
        PermissionDenied: the actor is not in the class.
    """
    if actor == NOBODY:
        raise PermissionDenied(
            "You are not in this class any more: reload the page to join it again."
        )


def require_owner(store: RunStore, run_id: str, actor: str, doing: str) -> Run:
    """Return a run that the actor may change.

    Args:
        store: the store of the run, which also records a refusal.
        run_id: the run's ID.
        actor: who asks.
        doing: the requested action, a verb such as "delete".

    Raises:
        PermissionDenied: the run is another student's.
        ValueError: there is no such run.
    """
    require_class_member(actor)
    run = run_locks.find_run(store, run_id)
    if is_student(actor) and actor != run.owner:
        refuse(
            *(store, run_id, actor, doing),
            f"Run {run_id} is not yours: only its owner or the teacher may {doing} it.",
        )
    return run


def require_read_access(store: RunStore, run_id: str, actor: str, doing: str) -> Run:
    """Return a run whose text, samples and weights the actor may read.

    Raises:
        PermissionDenied: the run is another student's, and private.
        ValueError: there is no such run.
    """
    require_class_member(actor)
    run = run_locks.find_run(store, run_id)
    if not may_look_inside(run, actor, store.class_store.shared()):
        refuse(
            *(store, run_id, actor, doing),
            f"Run {run_id} has a private text or private weights: everyone may see its curves, but "
            "the rest only its owner and the teacher, unless the run is shared.",
        )
    return run


def refuse(store: RunStore, key: str, actor: str, doing: str, message: str) -> NoReturn:
    """Record a refused request, then raise.

    Raises:
        PermissionDenied: always.
    """
    try:
        store.class_store.add_refusal(key, actor, doing)
    except sqlite3.Error:  # a full disk must not grant permission
        log.exception("a refusal could not be recorded")
    raise PermissionDenied(message)


def require_teacher(store: RunStore, actor: str, doing: str) -> None:
    """Refuse students: only the teacher and "local" pass.

    Raises:
        PermissionDenied: the actor is a student.
    """
    require_class_member(actor)
    if is_student(actor):
        refuse(store, "", actor, doing, f"Only the teacher may {doing}.")

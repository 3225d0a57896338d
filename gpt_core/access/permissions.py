"""Who may change a run: whoever owns it, and the teacher. Everybody may look at its curves.

Inside it, at its text, its samples and its weights, may look whoever owns it, the teacher and,
where nothing in it is private, everybody. Without a class there is one actor, "local", who may do
everything; so may "teacher". Any other name is a student's.
"""

import logging
import sqlite3
from typing import NoReturn

from gpt_core.store import Run, RunStore, Shared, ShareKind, run_locks
from gpt_core.text import public_texts

log = logging.getLogger(__name__)

LOCAL, TEACHER = "local", "teacher"


class PermissionDenied(ValueError):
    """Somebody asked for what only another may do; it was not done, and is on record."""


def is_student(actor: str) -> bool:
    """Tell whether an actor may change no runs but their own."""
    return actor not in (LOCAL, TEACHER)


def is_open(run: Run, shared: Shared) -> bool:
    """Tell whether everybody may look inside a run.

    They may if its owner shares it, or if it is nobody's secret: it began with random weights, and
    its text is one that comes with the app or that somebody shows to all.
    """
    shows_run = any(s.kind is ShareKind.RUN and s.key == run.id for s in shared)
    shows_text = any(s.kind is ShareKind.TEXT and s.key == run.text_sha256 for s in shared)
    is_public = shows_text or run.text_sha256 in public_texts()
    return shows_run or (is_public and not run.initial_sha256)


def may_look_inside(run: Run, actor: str, shared: Shared) -> bool:
    """Tell whether somebody may see a run's text, samples and weights."""
    return not is_student(actor) or actor == run.owner or is_open(run, shared)


def require_owner(store: RunStore, run_id: str, actor: str, doing: str) -> Run:
    """Return a run that the actor may change.

    Args:
        store: where the run is, and where a refusal is written down.
        run_id: the run.
        actor: who asks.
        doing: what for, in words: "delete".

    Raises:
        PermissionDenied: it is somebody else's.
        ValueError: there is no such run.
    """
    run = run_locks.find_run(store, run_id)
    if is_student(actor) and actor != run.owner:
        refuse(
            *(store, run_id, actor, doing),
            f"Run {run_id} is somebody else's: only its owner or the teacher may {doing} it.",
        )
    return run


def require_read_access(store: RunStore, run_id: str, actor: str, doing: str) -> Run:
    """Return a run that the actor may look into.

    Raises:
        PermissionDenied: it is somebody else's, and private.
        ValueError: there is no such run.
    """
    run = run_locks.find_run(store, run_id)
    if not may_look_inside(run, actor, store.class_store.shared()):
        refuse(
            *(store, run_id, actor, doing),
            f"Run {run_id} is on somebody's own text or weights: its curves are for all, the rest "
            "for its owner and the teacher, unless they share it.",
        )
    return run


def refuse(store: RunStore, key: str, actor: str, doing: str, message: str) -> NoReturn:
    """Write down that somebody asked for what they may not do, and say no.

    Raises:
        PermissionDenied: always.
    """
    try:
        store.class_store.add_refusal(key, actor, doing)
    except sqlite3.Error:  # a full disk must not let anybody through
        log.exception("a refusal could not be written down")
    raise PermissionDenied(message)


def require_teacher(store: RunStore, actor: str, doing: str) -> None:
    """Let only the teacher through, or whoever is alone on the machine.

    Raises:
        PermissionDenied: it is a student who asks.
    """
    if is_student(actor):
        refuse(store, "", actor, doing, f"Only the teacher may {doing}.")

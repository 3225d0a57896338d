"""Who owns a run: the process that holds its file lock, and nobody once that process is gone."""

import logging
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import filelock

from gpt_core.store.run import Run, RunState
from gpt_core.store.run_reader import FinalState
from gpt_core.store.run_store import RunStore
from gpt_core.system import describe_error, shorten

log = logging.getLogger(__name__)

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # a folder's and a lock file's name too


def find_run_id(store: RunStore, run_id: str | None, preset_name: str) -> str:
    """Return the ID of a new run: the wanted one or, where that is None, one made up.

    Raises:
        ValueError: a run may not be given this ID.
    """
    if run_id is None:
        return f"{preset_name}-{secrets.token_hex(4)}"
    if not RUN_ID.fullmatch(run_id):
        raise ValueError(
            f"run_id={shorten(run_id)!r} is no name for a run: take letters, digits, dots, dashes "
            "and underscores, 64 at most, the first a letter or digit."
        )
    if store.run(run_id) is not None:
        raise ValueError(f"run_id={run_id!r} is taken: choose another name, or resume it.")
    return run_id


def acquire_run_lock(store: RunStore, run_id: str) -> filelock.BaseFileLock:
    """Take the operating system's lock on a run, and return it held.

    Raises:
        ValueError: another process, or another runner of this one, holds it.
    """
    folder = store.runs_dir / "locks"
    folder.mkdir(exist_ok=True)
    # Taken by whoever starts the run, released by the owner thread: not thread-local.
    lock = filelock.FileLock(folder / f"{run_id}.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ValueError(
            f"Run {run_id} is live in another process on this machine, a terminal perhaps: it can "
            "be watched here, but only that one can pause, resume or stop it."
        ) from None
    return lock


@contextmanager
def lock_ended_run(store: RunStore, run_id: str, doing: str) -> Iterator[filelock.BaseFileLock]:
    """Hold the lock on a run that no process trains, to delete something of it.

    Raises:
        ValueError: it is live, or was not ``doing`` ("deleted"), in words.
    """
    mark_interrupted_runs(store)  # one whose process is gone is not live
    run = find_run(store, run_id)
    if run.is_live:
        raise ValueError(f"Run {run_id} is {run.state}: stop it first, then delete.")
    with lock_run(store, run_id, doing) as lock:
        yield lock
    lock.release()


@contextmanager
def lock_run(store: RunStore, run_id: str, doing: str) -> Iterator[filelock.BaseFileLock]:
    """Take the lock on a run, to be kept; it is released where what is done inside fails.

    Raises:
        ValueError: it is held elsewhere, or the run was not ``doing`` ("started"), in words.
    """
    lock = None
    try:
        lock = acquire_run_lock(store, run_id)
        yield lock
    except BaseException as error:
        if lock is not None:
            lock.release()
        if isinstance(error, sqlite3.Error | OSError):
            raise ValueError(f"The run was not {doing}. {describe_error(error)}") from error
        raise


def mark_interrupted_runs(store: RunStore) -> None:
    """Record as ended what reads as live though no process trains it: as interrupted where its
    process is gone, or as it ended here while nothing could be written.
    """
    for run in store.runs_recorded_as_live():
        try:
            lock = acquire_run_lock(store, run.id)
        except ValueError:  # another process trains it, and has perhaps taken it up since
            store.discard_unsaved(run.id)
            continue
        except OSError:  # its lock cannot be looked at
            continue
        try:
            current = store.run(run.id)  # it may have ended just before its lock was free
            final = store.final_state(run.id)
            if current is not None and (current.is_live or final):
                gone = "The process that trained it is gone."
                final = final or FinalState(RunState.INTERRUPTED, run.owner, gone)
                store.set_state(run.id, final.state, final.actor, final.message)
        except sqlite3.Error:  # a full disk must not keep anybody from looking
            log.exception("run %s could not be marked as interrupted", run.id)
        finally:
            lock.release()


def find_run(store: RunStore, run_id: str) -> Run:
    """Return a run.

    Raises:
        ValueError: there is no such run.
    """
    run = store.run(run_id)
    if run is None:
        raise ValueError(f"There is no run {shorten(run_id)}: it was deleted, or never was here.")
    return run


def find_unfinished_run(store: RunStore, run_id: str) -> Run:
    """Return a run that can go on.

    Raises:
        ValueError: there is no such run, or it has finished.
    """
    run = find_run(store, run_id)
    if run.state is RunState.FINISHED:
        raise ValueError(f"Run {run_id} has finished: there is nothing to resume.")
    return run

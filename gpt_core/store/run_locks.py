"""File locks on runs: a live run belongs to the process that holds its lock."""

import logging
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import filelock

from gpt_core.store.run import Run, RunState
from gpt_core.store.run_reader import FinalState
from gpt_core.store.run_store import RunStore
from gpt_core.system import describe_error, shorten

log = logging.getLogger(__name__)

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # also the name of a folder and a lock file
GONE = "The process that trained it is gone."
ELSEWHERE = (
    "Run {} is live in another process on this machine, such as a terminal or the app: pause, "
    "resume or stop it on the app's Train page."
)


def find_run_id(store: RunStore, run_id: str | None, preset_name: str) -> str:
    """Return the ID of a new run: the given one or, for None, a generated one.

    Raises:
        ValueError: the ID is invalid or taken.
    """
    if run_id is None:
        return f"{preset_name}-{secrets.token_hex(4)}"
    if not RUN_ID.fullmatch(run_id):
        raise ValueError(
            f"run_id={shorten(run_id)!r} is not a valid run ID: use letters, digits, dots, dashes "
            "and underscores, at most 64, the first a letter or digit."
        )
    if store.run(run_id) is not None:
        raise ValueError(f"run_id={run_id!r} is taken: choose another ID, or resume that run.")
    return run_id


def acquire_run_lock(store: RunStore, run_id: str) -> filelock.BaseFileLock:
    """Acquire the operating system's lock on a run, and return it.

    Raises:
        ValueError: another process, or another runner of this one, holds it.
    """
    folder = store.runs_dir / "locks"
    folder.mkdir(exist_ok=True)
    return _acquire(folder, run_id)


def acquire_starting_lock(store: RunStore, run_id: str) -> filelock.BaseFileLock:
    """Acquire the lock that keeps a run live until the processes that are to train it hold it.

    Raises:
        ValueError: it is held: such processes are starting, or train.
    """
    folder = store.runs_dir / "locks" / "starting"
    folder.mkdir(parents=True, exist_ok=True)
    return _acquire(folder, run_id)


def _acquire(folder: Path, run_id: str) -> filelock.BaseFileLock:
    # Not thread-local: the thread that starts the run acquires it, its worker releases it.
    lock = filelock.FileLock(folder / f"{run_id}.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ValueError(ELSEWHERE.format(run_id)) from None
    return lock


def is_starting(store: RunStore, run_id: str) -> bool:
    """Tell whether processes are starting that are to train a run."""
    if not (store.runs_dir / "locks" / "starting" / f"{run_id}.lock").exists():
        return False
    try:
        acquire_starting_lock(store, run_id).release()
    except ValueError:
        return True
    return False


def is_held(store: RunStore, run_id: str) -> bool:
    """Tell whether a process has a run, waiting, training or paused."""
    try:
        acquire_run_lock(store, run_id).release()
    except ValueError:
        return True
    return False


def require_not_held(store: RunStore, run_id: str) -> None:
    """Refuse a run that a process has, waiting, training or paused.

    Raises:
        ValueError: a process has it, or there is no such run.
    """
    find_run(store, run_id)
    acquire_run_lock(store, run_id).release()


@contextmanager
def lock_ended_run(store: RunStore, run_id: str, doing: str) -> Iterator[filelock.BaseFileLock]:
    """Hold the lock on a run that is not live, to delete it or parts of it.

    Args:
        store: the store of the run.
        run_id: the run's ID.
        doing: the action for messages, a participle such as "deleted".

    Raises:
        ValueError: the run is live, or the action failed.
    """
    mark_interrupted_runs(store)  # a run whose process has ended is not live
    run = find_run(store, run_id)
    if run.is_live and not store.seconds_silent(run):
        raise ValueError(f"Run {run_id} is {run.state}: stop it first, then delete.")
    with lock_run(store, run_id, doing) as lock:
        yield lock
    lock.release()


@contextmanager
def lock_run(store: RunStore, run_id: str, doing: str) -> Iterator[filelock.BaseFileLock]:
    """Acquire the lock on a run; it stays held after the block, unless the block fails.

    Args:
        store: the store of the run.
        run_id: the run's ID.
        doing: the action for messages, a participle such as "started".

    Raises:
        ValueError: the lock is held elsewhere, or the action failed.
    """
    with _held_unless_failed(partial(acquire_run_lock, store, run_id), doing) as lock:
        yield lock


@contextmanager
def lock_start(store: RunStore, run_id: str, doing: str) -> Iterator[filelock.BaseFileLock]:
    """Acquire the starting lock on a run, as :func:`lock_run` does that on the run itself."""
    with _held_unless_failed(partial(acquire_starting_lock, store, run_id), doing) as lock:
        yield lock


@contextmanager
def _held_unless_failed(
    acquire: Callable[[], filelock.BaseFileLock], doing: str
) -> Iterator[filelock.BaseFileLock]:
    lock = None
    try:
        lock = acquire()
        yield lock
    except BaseException as error:
        if lock is not None:
            lock.release()
        if isinstance(error, sqlite3.Error | OSError):
            raise ValueError(f"The run was not {doing}. {describe_error(error)}") from error
        raise


def mark_interrupted_runs(store: RunStore) -> None:
    """Record the end of runs that are recorded as live but that no process trains.

    A run is recorded as interrupted, or in the final state that could not be written before. A run
    that another machine publishes here is left alone: that machine knows how it is.
    """
    for run in store.runs_recorded_as_live():
        if run.origin:
            continue
        try:
            lock = acquire_run_lock(store, run.id)
        except ValueError:  # a process trains it, perhaps since its end here
            store.discard_unsaved(run.id)
            continue
        except OSError:  # its lock cannot be opened
            continue
        try:
            if is_starting(store, run.id):  # another process is about to hold its lock
                continue
            current = store.run(run.id)  # it may have ended just before its lock was released
            final = store.final_state(run.id)
            if current is not None and (current.is_live or final):
                final = final or FinalState(RunState.INTERRUPTED, run.owner, GONE)
                store.set_state(run.id, final.state, final.actor, final.message)
                store.answer_all(run.id, GONE)
        except sqlite3.Error:  # a full disk must not prevent reading
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
        raise ValueError(f"There is no run {shorten(run_id)}: it was deleted, or never existed.")
    return run


def find_unfinished_run(store: RunStore, run_id: str) -> Run:
    """Return a run that can be resumed.

    Raises:
        ValueError: there is no such run, it has finished, or another machine trains it.
    """
    run = find_run(store, run_id)
    if run.state is RunState.FINISHED:
        raise ValueError(f"Run {run_id} has finished: there is nothing to resume.")
    if run.origin:
        raise ValueError(f"Run {run_id} trains on {run.origin}: resume it there.")
    return run

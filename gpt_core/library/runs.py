"""What one may do with runs that are on record: name them, note something, delete them."""

import sqlite3
from contextlib import suppress
from pathlib import Path

from gpt_core.access import LOCAL, require_owner
from gpt_core.library.texts import TextLibrary
from gpt_core.store import RunStore, ShareKind, run_locks
from gpt_core.system import describe_error, printable
from gpt_core.weights import remove

MAX_NAME_LENGTH, MAX_NOTE_LENGTH = 80, 2000  # characters


def label_run(store: RunStore, run_id: str, name: str, note: str, *, actor: str) -> None:
    """Give a run a name and a note; an empty name takes it back.

    Raises:
        PermissionDenied: the run is somebody else's.
        ValueError: there is no such run, one of them is too long, or the disk is full.
    """
    require_owner(store, run_id, actor, "rename")
    name, note = " ".join(printable(name).split()), printable(note).strip()
    for text, most, field in ((name, MAX_NAME_LENGTH, "name"), (note, MAX_NOTE_LENGTH, "note")):
        if len(text) > most:
            raise ValueError(
                f"The {field} is {len(text):,} characters long: {most:,} are the most."
            )
    try:
        store.add_label(run_id, name, note, actor)
    except sqlite3.Error as error:
        raise ValueError(f"It was not written down. {describe_error(error)}") from error


def share_run(store: RunStore, run_id: str, shared: bool, *, actor: str) -> None:
    """Show what is private in a run, its text, samples and weights, to the class; or no longer.

    Raises:
        PermissionDenied: the run is somebody else's.
        ValueError: there is no such run.
    """
    run = require_owner(store, run_id, actor, "share")
    store.class_store.add_share(ShareKind.RUN, run.id, run.owner, shared)


def delete_run(store: RunStore, run_id: str, *, actor: str) -> None:
    """Delete a run for good: all it recorded, its checkpoints, and its text if nobody needs it.

    A text needed by another run, or kept on the Data page, stays.

    Raises:
        PermissionDenied: the run is somebody else's.
        ValueError: there is no such run, it is live, or the disk cannot be written.
    """
    run = require_owner(store, run_id, actor, "delete")
    with run_locks.lock_ended_run(store, run_id, "deleted") as lock:
        # The row first: killed in between, it leaves a folder that the next opening sweeps away,
        # never a run without its checkpoints.
        store.remove_run(run_id, actor)
        remove(store.runs_dir / "checkpoints" / run_id)
        library = TextLibrary(store, actor=LOCAL)
        if run.text_sha256 not in {entry.sha256 for entry in library.texts()}:
            with suppress(ValueError):  # another run needs it
                library.delete(run.text_sha256)
        with suppress(OSError):  # Windows lets nobody remove an open file
            Path(lock.lock_file).unlink(missing_ok=True)


def clean_up(store: RunStore) -> None:
    """Put right what processes that were killed have left: live runs, half-deleted ones."""
    run_locks.mark_interrupted_runs(store)
    for run_id in {row.run_id for row in store.deletions()}:
        folder = store.runs_dir / "checkpoints" / run_id
        doomed = folder.with_name(f".{run_id}.removed")
        if (folder.exists() or doomed.exists()) and store.run(run_id) is None:
            remove(folder)

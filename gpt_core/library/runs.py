"""Operations on recorded runs: label, share and delete them, and clean up."""

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
    """Set a run's name and note; an empty name removes the name.

    Raises:
        PermissionDenied: the run is another student's.
        ValueError: there is no such run, the name or note is too long, or the disk is full.
    """
    require_owner(store, run_id, actor, "rename")
    name, note = " ".join(printable(name).split()), printable(note).strip()
    for text, most, field in ((name, MAX_NAME_LENGTH, "name"), (note, MAX_NOTE_LENGTH, "note")):
        if len(text) > most:
            raise ValueError(f"The {field} is {len(text):,} characters long: use at most {most:,}.")
    try:
        store.add_label(run_id, name, note, actor)
    except sqlite3.Error as error:
        raise ValueError(f"The name and note were not saved. {describe_error(error)}") from error


def share_run(store: RunStore, run_id: str, shared: bool, *, actor: str) -> None:
    """Share a run's text, samples and weights with the class, or stop sharing them.

    Raises:
        PermissionDenied: the run is another student's.
        ValueError: there is no such run.
    """
    run = require_owner(store, run_id, actor, "share")
    store.class_store.add_share(ShareKind.RUN, run.id, run.owner, shared)


def delete_run(store: RunStore, run_id: str, *, actor: str) -> None:
    """Delete a run permanently: its records, its checkpoints, and its text if it is unused.

    A text that another run needs, or that is saved in the library, stays.

    Raises:
        PermissionDenied: the run is another student's.
        ValueError: there is no such run, the run is live, or the disk cannot be written.
    """
    run = require_owner(store, run_id, actor, "delete")
    with run_locks.lock_ended_run(store, run_id, "deleted") as lock:
        # The row first: if the process is killed in between, it leaves a folder for clean_up, never
        # a run without its checkpoints.
        store.remove_run(run_id, actor)
        remove(store.runs_dir / "checkpoints" / run_id)
        library = TextLibrary(store, actor=LOCAL)
        if run.text_sha256 not in {entry.sha256 for entry in library.texts()}:
            with suppress(ValueError):  # another run needs it
                library.delete(run.text_sha256)
        with suppress(OSError):  # Windows does not delete open files
            Path(lock.lock_file).unlink(missing_ok=True)


def clean_up(store: RunStore) -> None:
    """Repair what killed processes left: runs recorded as live, and half-deleted runs."""
    run_locks.mark_interrupted_runs(store)
    for run_id in {row.run_id for row in store.deletions()}:
        folder = store.runs_dir / "checkpoints" / run_id
        doomed = folder.with_name(f".{run_id}.removed")
        if (folder.exists() or doomed.exists()) and store.run(run_id) is None:
            remove(folder)

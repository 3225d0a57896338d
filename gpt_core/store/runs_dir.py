"""The runs directory: its default, and the check that it is local."""

import os
from pathlib import Path

import filelock
import psutil

from gpt_core.system import USER_DIR

NETWORK_FILE_SYSTEMS = (
    *("nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afpfs", "afs", "ceph"),
    *("glusterfs", "lustre", "webdav", "davfs", "fuse.sshfs", "fuse.glusterfs", "fuse.rclone"),
)


def default_runs_dir() -> Path:
    """Return ``$GPT_LAB_RUNS_DIR`` if set, else ``runs/`` in the clone or the user's folder."""
    chosen = os.environ.get("GPT_LAB_RUNS_DIR")
    return Path(chosen) if chosen else USER_DIR / "runs"


def claim_for_class(folder: Path) -> filelock.BaseFileLock:
    """Make a runs directory a class's: for this process alone, and private to its user.

    From now on the process makes files that other users of the machine cannot read. The caller
    releases the lock that is returned; at the end of the process the system does.

    Raises:
        ValueError: another process serves a class from it, or it cannot be used.
    """
    os.umask(0o077)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # what is in it already may be readable, and is out of reach
        lock = filelock.FileLock(folder / "class.lock", thread_local=False)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise ValueError(
            f"Another server has opened a class with the runs directory {folder}: end it first, or "
            "choose another directory with GPT_LAB_RUNS_DIR."
        ) from error
    except OSError as error:
        raise ValueError(
            f"The runs directory {folder} cannot be made private to a class ({error.strerror}): "
            "choose another one with GPT_LAB_RUNS_DIR."
        ) from error
    return lock


def require_local_file_system(folder: Path) -> None:
    """Refuse a network folder: SQLite's log needs memory shared on one machine.

    Raises:
        ValueError: the folder is on a network file system.
    """
    here = folder.resolve()
    holding = [
        disk for disk in psutil.disk_partitions(all=True) if here.is_relative_to(disk.mountpoint)
    ]
    # Of two at one mount point (an automounter and its mount) the later one is visible.
    innermost = max(reversed(holding), key=lambda disk: len(disk.mountpoint), default=None)
    if innermost is not None and innermost.fstype.lower() in NETWORK_FILE_SYSTEMS:
        raise ValueError(
            f"The runs directory {folder} is on a network file system ({innermost.fstype}), where "
            "runs could be damaged: choose a local one with --runs-dir or GPT_LAB_RUNS_DIR."
        )

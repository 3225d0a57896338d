"""The runs directory: its default, and the check that it is local."""

import os
from pathlib import Path

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

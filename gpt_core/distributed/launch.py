"""Which start by torchrun a process belongs to, so that a restarted one finds its run."""

import hashlib
import os
import socket

import psutil

LAUNCH = "launch"  # the name under which a run's record keeps it


def launch_id() -> str:
    """Return what tells a start by torchrun from all others, "" without torchrun.

    It is the same for the processes that torchrun starts again after one was lost: torchrun
    itself, their parent, lives on. Its own ID alone may be "none", or be given twice.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return ""
    parent = psutil.Process(os.getppid())
    name = os.environ["TORCHELASTIC_RUN_ID"]
    facts = (name, socket.gethostname(), parent.pid, parent.create_time())
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

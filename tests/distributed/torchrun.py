"""torchrun, as a user starts it."""

import os
import subprocess
import sys

from tests.support.paths import ROOT


def torchrun(processes: int, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
    """Return the command that starts a module in several processes of this machine."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return [*launcher, f"--nproc-per-node={processes}", *options, "-m", *arguments]


def begin(command: list[str], **environment: str) -> subprocess.Popen[str]:
    """Start a command, whose output can be read as it comes."""
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", **environment},
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    """Wait for a process that must end with this code; return what it printed."""
    out, err = process.communicate(timeout=400)
    assert process.returncode == code, err
    return out, err

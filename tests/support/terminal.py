"""A run that another process trains, as a terminal starts it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gpt_core.store import RunStore
from tests.support.paths import ROOT
from tests.support.runs import wait_for_steps

# Two layers, and longer than any test waits.
TINY_AND_LONG = (
    *("train", "--text", "counting", "--context-length", "32", "--emb-dim", "16"),
    *("--n-heads", "2", "--n-layers", "2", "--epochs", "100000", "--sample-tokens", "5"),
)


def start_terminal(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gpt_core", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
    )


@contextmanager
def terminal_run(store: RunStore, run_id: str = "theirs") -> Iterator[subprocess.Popen[str]]:
    """Train a small run in another process until the block ends; it has begun when the block does.

    The process writes more than a pipe holds only after many minutes.
    """
    runs_dir = str(store.runs_dir)
    process = start_terminal(*TINY_AND_LONG, "--run-id", run_id, "--runs-dir", runs_dir)
    try:
        wait_for_steps(store, run_id, 3)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def wait_for(store: RunStore, run_id: str, state: str) -> None:
    """Wait until a run is in a state."""
    deadline = time.monotonic() + 120
    while (run := store.run(run_id)) is None or run.state != state:
        assert time.monotonic() < deadline, f"the run is {run.state if run else 'not there'}"
        time.sleep(0.05)

"""Publishing, as a test sees it: a terminal that trains, and the records on both sides."""

import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from gpt_core.store import PUBLISHED_TABLES, RunStore
from tests.support import terminal

TOKEN = "a token of a test, long enough"
SMALL = ("--text", "counting", "--emb-dim", "16", "--n-heads", "2", "--n-layers", "1")


def start_terminal(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """Start a command of gpt_core, with one thread and the token."""
    ours = {"OMP_NUM_THREADS": "1", "GPT_LAB_PUBLISH_TOKEN": TOKEN, **environment}
    return terminal.start_terminal(*arguments, **ours)


def rows_in(runs_dir: Path, run_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return what a store has of a run, without the IDs, which each store gives anew."""
    if not (runs_dir / "runs.sqlite").exists():
        return {table: [] for table in PUBLISHED_TABLES}
    with closing(RunStore(runs_dir)) as store:
        found = store.rows_of(run_id, PUBLISHED_TABLES)
    return {
        table: [{name: row[name] for name in row if name != "id"} for row in rows]
        for table, rows in found.items()
    }


def steps_in(runs_dir: Path, run_id: str) -> int:
    """Return how many steps a store has of a run."""
    return len(rows_in(runs_dir, run_id)["steps"])


def wait_until(is_so: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for something, with a limit that only ends a test that hangs."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)

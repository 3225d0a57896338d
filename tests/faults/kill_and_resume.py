"""Kill a training process at random moments, resume it, and count what was lost.

    python -m tests.faults.kill_and_resume --kills 50

A real run in a real process gets SIGKILL after a random time, again and again; a run that
comes to its end is followed by a new one. While it trains, this process reads the store as a
page does: what it has read is acknowledged and must never be missing or different later.
The last line is one JSON object with the counts.
"""

import argparse
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from gpt_core.model import GPTModel
from gpt_core.records import StepRecord
from gpt_core.store import RunStore
from gpt_core.text import load_text
from gpt_core.training import create_optimizer, prepare_data
from gpt_core.training import train as training_loop
from gpt_core.vocabularies import get_tokenizer
from gpt_core.weights import load_checkpoint, load_weights
from tests.faults.victim import PRESET, RUN, TEXT
from tests.support.paths import ROOT

Seen = dict[tuple[str, int], Any]  # what was read, by table and ID

MAX_LIFE = 9.0  # seconds until a process is killed, at most


def undisturbed_losses() -> list[float]:
    """Return the losses of the run that nobody kills, from the plain loop."""
    tokenizer, config = get_tokenizer(), PRESET.training
    data = prepare_data(load_text(TEXT).text, tokenizer, PRESET.model, config)
    torch.manual_seed(config.seed)
    model = GPTModel(PRESET.model)
    optimizer = create_optimizer(model, config)
    loaders = (data.train_loader, data.val_loader)
    records = training_loop(model, *loaders, optimizer, tokenizer, config)
    return [record.loss for record in records if isinstance(record, StepRecord)]


def read_everything(store: RunStore, seen: Seen, run_id: str = RUN) -> None:
    """Read on from where the last reading ended, as a page does."""
    for table in ("steps", "evaluations", "samples", "transitions"):
        after = max((row_id for name, row_id in seen if name == table), default=0)
        if table == "transitions":  # these are read all at once
            rows = [row for row in store.transitions(run_id) if row.id > after]
        else:
            rows = getattr(store, table)(run_id, after)
        for row in rows:
            seen[table, row.id] = row


def count_missing(store: RunStore, seen: Seen, run_id: str = RUN) -> int:
    """Return how many rows that were read once are gone or different now."""
    now = {
        (table, row.id): row
        for table in ("steps", "evaluations", "samples", "transitions")
        for row in getattr(store, table)(run_id)
    }
    return sum(now.get(key) != row for key, row in seen.items())


def count_unreadable(store: RunStore) -> tuple[int, int]:
    """Return how many checkpoints there are, and how many of them cannot be read."""
    rows, unreadable = store.checkpoints(RUN), 0
    random_state = torch.get_rng_state()
    for row in rows:
        folder = store.runs_dir / row.folder
        try:
            if row.kind == "whole":
                model = GPTModel(PRESET.model)
                load_checkpoint(folder, model, create_optimizer(model, PRESET.training))
            else:
                load_weights(folder)
        except ValueError as error:
            print(error, file=sys.stderr)
            unreadable += 1
    torch.set_rng_state(random_state)
    return len(rows), unreadable


def is_sound(store: RunStore) -> bool:
    """Return SQLite's own verdict on the file."""
    connection = sqlite3.connect(store.runs_dir / "runs.sqlite")
    verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    return bool(verdict == "ok")


def steps_in(seen: Seen) -> int:
    """Return how many steps were read."""
    return sum(table == "steps" for table, _ in seen)


def live(runs_dir: Path, life: float, seen: Seen, from_the_first_step: bool) -> bool:
    """Run the victim for ``life`` seconds and kill it; False if it had ended by itself.

    Its life begins with the process, or when its first step can be read.
    """
    victim = [sys.executable, "-m", "tests.faults.victim", str(runs_dir)]
    store = RunStore(runs_dir)
    read_everything(store, seen)  # what the last one left
    known = steps_in(seen)
    process = subprocess.Popen(victim, cwd=ROOT)
    began = time.monotonic()
    while time.monotonic() < began + life and process.poll() is None:
        read_everything(store, seen)
        if from_the_first_step and steps_in(seen) == known:
            began = time.monotonic()
        time.sleep(0.05)
    killed = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    store.close()
    return killed


def run_faults(kills: int, seed: int, folder: Path) -> dict[str, int]:
    """Kill ``kills`` times and return what was counted."""
    draw = random.Random(seed)
    expected = undisturbed_losses()
    counts = dict.fromkeys(
        ("kills", "runs_finished", "rows_read", "checkpoints_read", "databases_damaged"), 0
    )
    counts |= dict.fromkeys(("rows_missing", "checkpoints_unreadable", "runs_not_equal"), 0)
    number, seen = 0, {}
    while True:
        runs_dir = folder / f"runs-{number}"
        # Once there have been enough kills, the last run is left to come to its end.
        life = draw.uniform(0.5, MAX_LIFE) if counts["kills"] < kills else 600.0
        # Every second one dies while it trains, however long this machine takes to start it.
        killed = live(runs_dir, life, seen, from_the_first_step=counts["kills"] % 2 == 0)
        counts["kills"] += killed

        store = RunStore(runs_dir)
        counts["databases_damaged"] += not is_sound(store)
        counts["rows_missing"] += count_missing(store, seen)
        there, unreadable = count_unreadable(store)
        counts["checkpoints_read"] += there
        counts["checkpoints_unreadable"] += unreadable
        run = store.run(RUN)
        if run is not None and run.state == "finished":
            losses = [row.loss for row in store.steps(RUN)]
            counts["runs_finished"] += 1
            counts["runs_not_equal"] += losses != expected or run.message != ""
            counts["rows_read"] += len(seen)
            number, seen = number + 1, {}
        elif not killed:
            sys.exit(f"the victim ended by itself: {run}")
        store.close()
        print(json.dumps(counts), file=sys.stderr)
        if counts["kills"] >= kills and counts["runs_finished"] and not seen:
            return counts


def main() -> None:
    """Print what was counted as one line of JSON; exit with 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = run_faults(options.kills, options.seed, Path(folder))
    print(json.dumps(counts))
    bad = ("databases_damaged", "rows_missing", "checkpoints_unreadable", "runs_not_equal")
    sys.exit(any(counts[name] for name in bad))


if __name__ == "__main__":
    main()

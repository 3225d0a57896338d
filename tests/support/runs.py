"""Runs that tests start, wait for and read."""

import time
from dataclasses import asdict, replace

from gpt_core.presets import Preset
from gpt_core.store import RunStore
from tests.conftest import TINY, TINY_TRAINING

PRESET = Preset("tiny", "Two layers.", TINY, TINY_TRAINING)
SIX_EPOCHS = Preset("tiny", "Two layers.", TINY, replace(TINY_TRAINING, num_epochs=6))
LONG = Preset("tiny", "Two layers.", TINY, replace(TINY_TRAINING, num_epochs=500))


def wait_for_steps(store: RunStore, run_id: str, count: int, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while len(store.steps(run_id)) < count:
        assert time.monotonic() < deadline, "the run does not advance"
        time.sleep(0.02)


def losses(store: RunStore, run_id: str) -> list[float]:
    return [row.loss for row in store.steps(run_id)]


def everything(store: RunStore, run_id: str) -> dict[str, list]:
    """All that a run recorded, without row numbers, names and times."""
    return {
        table: [
            {k: v for k, v in asdict(row).items() if k not in ("id", "seconds", "memory")}
            for row in rows
        ]
        for table, rows in (
            ("steps", store.steps(run_id)),
            ("evaluations", store.evaluations(run_id)),
            ("samples", store.samples(run_id)),
        )
    }


def states(store: RunStore, run_id: str) -> list[str]:
    return [row.state for row in store.transitions(run_id)]

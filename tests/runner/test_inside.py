"""The recordings of a model's inside survive stopping, resuming and replaying."""

import sqlite3
from dataclasses import asdict, replace

from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import Corpus
from tests.conftest import TINY, TINY_TRAINING
from tests.support.runs import wait_for_steps

TRAINING = replace(TINY_TRAINING, num_epochs=4, eval_freq=2, record_inside=True)
RECORDED = Preset("tiny", "Two layers.", TINY, TRAINING)


def recordings(store: RunStore, run_id: str) -> list[dict]:
    """Return a run's recordings without row numbers and times."""
    return [
        {name: value for name, value in asdict(row).items() if name not in ("id", "seconds")}
        for row in store.inside(run_id)
    ]


def test_a_resumed_run_records_the_inside_of_one_that_was_left_alone(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    alone = runner.start(RECORDED, corpus, actor="local")
    assert runner.wait(alone, timeout=60)
    run_id = runner.start(RECORDED, corpus, actor="local")
    for count in (3, 9):
        wait_for_steps(store, run_id, count)
        runner.stop(run_id, actor="local").result(timeout=30)
        runner.resume(run_id, actor="local")
    assert runner.wait(run_id, timeout=60)
    assert len(recordings(store, alone)) > 3
    assert recordings(store, run_id) == recordings(store, alone)


def test_what_a_run_that_starts_over_repeats_is_compared_and_recorded_once(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(RECORDED, corpus, actor="local")
    wait_for_steps(store, run_id, 8)
    runner.stop(run_id, actor="local").result(timeout=30)
    before = recordings(store, run_id)
    connection = sqlite3.connect(store.runs_dir / "runs.sqlite")
    connection.execute("DELETE FROM checkpoints")
    connection.commit()
    connection.close()
    runner.resume(run_id, actor="local")
    assert runner.wait(run_id, timeout=60)
    run = store.run(run_id)
    assert run is not None
    assert (run.state, run.message) == ("finished", "")  # no step differs from its record
    assert recordings(store, run_id)[: len(before)] == before

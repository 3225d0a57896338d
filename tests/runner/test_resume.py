"""A run that was paused, stopped, closed or killed goes on exactly."""

import re
import sqlite3
import time

import pytest
import torch

from gpt_core.model import generate
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import Corpus
from tests.support.runs import LONG, SIX_EPOCHS, everything, states, wait_for_steps

# Exact resume: bit for bit the losses of the run that was left alone


@pytest.mark.slow
def test_a_paused_copied_and_saved_run_gives_the_same_losses(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, left_alone: dict[str, list]
) -> None:
    run_id = runner.start(SIX_EPOCHS, corpus, actor="local")
    for count in (3, 9, 20, 40):
        wait_for_steps(store, run_id, count)
        runner.pause(run_id, actor="local").result(timeout=30)
        snapshot = runner.snapshot(run_id, actor="local").result(timeout=30)
        generate(snapshot.model, torch.tensor([[1, 2]]), 3)
        runner.resume(run_id, actor="local").result(timeout=30)
        runner.checkpoint(run_id, actor="local").result(timeout=30)
    runner.wait(run_id, timeout=120)
    assert everything(store, run_id) == left_alone


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 7, 25, 60])
def test_a_stopped_and_resumed_run_gives_the_same_losses(
    steps: int, runner: TrainingRunner, store: RunStore, corpus: Corpus, left_alone: dict[str, list]
) -> None:
    run_id = runner.start(SIX_EPOCHS, corpus, actor="local")
    wait_for_steps(store, run_id, steps)
    runner.stop(run_id, actor="local").result(timeout=30)
    runner.resume(run_id, actor="local").result(timeout=30)
    runner.wait(run_id, timeout=120)
    assert states(store, run_id) == [
        "queued",
        "running",
        "stopped",
        "queued",
        "running",
        "finished",
    ]
    assert everything(store, run_id) == left_alone


@pytest.mark.slow
def test_a_closed_and_reopened_run_gives_the_same_losses(
    store: RunStore, corpus: Corpus, left_alone: dict[str, list]
) -> None:
    runner = TrainingRunner(store)
    run_id = runner.start(SIX_EPOCHS, corpus, actor="local")
    for count in (5, 30):
        wait_for_steps(store, run_id, count)
        runner.close()
        run = store.run(run_id)
        assert run is not None
        assert run.state == "interrupted"
        assert run.is_resumable
        runner = TrainingRunner(store)
        runner.resume(run_id, actor="local")
    runner.wait(run_id, timeout=120)
    runner.close()
    assert everything(store, run_id) == left_alone


@pytest.mark.slow
def test_a_replayed_step_that_is_not_what_was_recorded_is_said(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(SIX_EPOCHS, corpus, actor="local")
    wait_for_steps(store, run_id, 8)
    runner.stop(run_id, actor="local").result(timeout=30)
    # The checkpoint is lost, so the run starts over: and one number on record is changed.
    connection = sqlite3.connect(store.runs_dir / "runs.sqlite")
    connection.execute("DELETE FROM checkpoints")
    connection.execute("UPDATE steps SET loss = 1.5 WHERE global_step = 4")
    connection.commit()
    connection.close()
    runner.resume(run_id, actor="local")
    runner.wait(run_id, timeout=120)
    run = store.run(run_id)
    assert run is not None
    assert run.state == "finished"
    assert "Replayed step 4 differs from what was recorded: loss" in run.message
    assert [row.global_step for row in store.steps(run_id)] == list(range(run.total_steps))


def test_a_run_resumed_on_another_machine_says_so(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(SIX_EPOCHS, corpus, actor="local")
    wait_for_steps(store, run_id, 3)
    runner.stop(run_id, actor="local").result(timeout=30)
    connection = sqlite3.connect(store.runs_dir / "runs.sqlite")
    connection.execute("UPDATE runs SET versions = json_set(versions, '$.threads', '64')")
    connection.commit()
    connection.close()
    runner.resume(run_id, actor="local")
    message = [row.message for row in store.transitions(run_id) if row.state == "queued"][-1]
    assert re.search(r"threads 64 → \d+.*may differ in the last digits", message)


def test_a_run_whose_text_is_gone_cannot_be_resumed(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 1)
    runner.stop(run_id, actor="local").result(timeout=30)
    (store.runs_dir / "texts" / f"{corpus.sha256}.txt").write_text("other words")
    with pytest.raises(ValueError, match="missing or damaged"):
        runner.resume(run_id, actor="local")
    assert states(store, run_id)[-1] == "stopped"


# Requests


@pytest.mark.slow
def test_time_spent_paused_does_not_count_as_training(store: RunStore, corpus: Corpus) -> None:
    away = [0.0]
    runner = TrainingRunner(store, timer=lambda: time.perf_counter() + away[0])
    run_id = runner.start(SIX_EPOCHS, corpus, actor="local")
    wait_for_steps(store, run_id, 10)
    runner.pause(run_id, actor="local").result(timeout=30)
    away[0] = 1_000_000.0  # a night goes by
    runner.resume(run_id, actor="local").result(timeout=30)
    runner.wait(run_id, timeout=120)
    runner.close()
    assert states(store, run_id)[-1] == "finished"
    assert store.steps(run_id)[-1].seconds < 1000


@pytest.mark.slow
def test_what_a_killed_process_left_beside_the_checkpoints_is_swept(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(SIX_EPOCHS, corpus, actor="local")
    wait_for_steps(store, run_id, 20)
    runner.stop(run_id, actor="local").result(timeout=30)
    folder = store.runs_dir / "checkpoints" / run_id
    for name in (".000017-weights.removed", ".000099-whole.part", "000099-weights"):
        (folder / name).mkdir()
        (folder / name / "model.safetensors").write_bytes(b"left behind")
    runner.resume(run_id, actor="local")
    runner.wait(run_id, timeout=120)
    assert states(store, run_id)[-1] == "finished"
    rows = store.checkpoints(run_id)
    assert {p.name for p in folder.iterdir()} == {row.folder.split("/")[-1] for row in rows}

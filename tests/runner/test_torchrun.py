"""Runs that several processes train, started by torchrun for the app."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import psutil
import pytest

from gpt_core.access import ClassRules
from gpt_core.analysis import CachedStore
from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner, count_processes, expected_queue
from gpt_core.runner.elsewhere.torchrun import PROCESSES, TorchrunRuns, seeing_only
from gpt_core.runner.training_threads import TrainingThreads
from gpt_core.store import Run, RunState, RunStore, mark_interrupted_runs
from gpt_core.text import Corpus, load_text
from tests.support.runs import LONG, PRESET, losses, states, wait_for_steps
from tests.support.terminal import wait_for

TWO = ("cpu", "cpu")


@pytest.fixture
def app(store: RunStore) -> Iterator[TrainingRunner]:
    """A runner that may start two processes for a run."""
    runner = TrainingRunner(store, threads=1, max_processes=2)
    yield runner
    runner.close()


def torchruns() -> list[psutil.Process]:
    """Return the torchrun processes that this one has started."""
    children = psutil.Process().children()
    return [child for child in children if "torch.distributed.run" in child.cmdline()]


def test_a_machine_without_several_gpus_offers_one_process_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(PROCESSES, raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert count_processes() == 1
    monkeypatch.setattr("torch.cuda.device_count", lambda: 8)
    assert count_processes() == 8
    monkeypatch.setenv(PROCESSES, "3")
    assert count_processes() == 3
    for wrong in ("0", "-1", "many"):
        monkeypatch.setenv(PROCESSES, wrong)
        with pytest.raises(ValueError, match=f"{PROCESSES}='{wrong}' must be a whole number"):
            count_processes()


@pytest.mark.parametrize(
    ("devices", "actor", "message"),
    [
        (("cpu",) * 3, "local", "3 processes for one run: at most 2 can train it here."),
        (("cpu",), "local", "1 device for several processes: choose at least 2, or none."),
        (TWO, "ann", "2 processes for one run: at most 1 can train it here."),
        (("cuda:0", "cuda:1"), "local", "devices=cuda:0, cuda:1: the run's device is cpu."),
    ],
)
def test_devices_that_cannot_train_a_run_together_are_refused(
    app: TrainingRunner,
    store: RunStore,
    corpus: Corpus,
    devices: tuple[str, ...],
    actor: str,
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        app.start(PRESET, corpus, actor=actor, devices=devices)
    assert store.runs() == []


def test_it_waits_while_another_run_trains_and_can_be_stopped_meanwhile(
    app: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    first = app.start(LONG, corpus, actor="local")
    wait_for_steps(store, first, 1)
    waiting = app.start(PRESET, corpus, actor="local", devices=TWO)
    assert app.start(PRESET, corpus, actor="local", devices=TWO) == waiting  # a double click
    mark_interrupted_runs(store)  # as any process does
    run = store.run(waiting)
    assert run is not None
    assert run.state is RunState.QUEUED
    with pytest.raises(ValueError, match="waits for its turn"):
        app.pause(waiting, actor="local")
    app.stop(waiting, actor="local").result(30)
    assert states(store, waiting) == ["queued", "stopped"]
    assert torchruns() == []


def test_a_waiting_run_that_is_stopped_and_resumed_again_and_again_waits_once(
    app: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    first = app.start(LONG, corpus, actor="local")
    wait_for_steps(store, first, 1)
    waiting = app.start(PRESET, corpus, actor="local", devices=TWO)
    for _ in range(10):  # faster than a worker looks
        app.stop(waiting, actor="local").result(30)
        app.resume(waiting, actor="local").result(30)
    assert states(store, waiting) == [*("queued", "stopped") * 10, "queued"]
    app.stop(first, actor="local").result(60)
    wait_for(store, waiting, "finished")
    steps = [row.global_step for row in store.steps(waiting)]
    assert steps == list(range(len(steps)))
    last = app.start(LONG, corpus, actor="local")  # the devices are free
    wait_for_steps(store, last, 1)


def test_a_stop_that_cannot_be_written_keeps_no_device(
    app: TrainingRunner, store: RunStore, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    first = app.start(LONG, corpus, actor="local")
    wait_for_steps(store, first, 1)
    waiting = app.start(PRESET, corpus, actor="local", devices=TWO)
    with monkeypatch.context() as broken:
        broken.setattr(store, "set_state", fail)
        with pytest.raises(sqlite3.OperationalError):
            app.stop(waiting, actor="local")
    app.stop(first, actor="local").result(60)
    last = app.start(LONG, corpus, actor="local")
    wait_for_steps(store, last, 1)
    mark_interrupted_runs(store)
    assert states(store, waiting) == ["queued", "interrupted"]


def test_what_waits_when_the_app_is_closed_is_interrupted(store: RunStore, corpus: Corpus) -> None:
    runner = TrainingRunner(store, threads=1, max_processes=2)
    first = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, first, 1)
    waiting = runner.start(PRESET, corpus, actor="local", devices=TWO)
    runner.close()
    run = store.run(waiting)
    assert run is not None
    assert (run.state, run.message) == ("interrupted", "The app was closed.")


@pytest.mark.slow
def test_torchrun_trains_a_run_which_takes_requests_and_whose_place_others_wait_for(
    app: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = app.start(LONG, corpus, actor="local", devices=TWO)
    wait_for_steps(store, run_id, 3)
    assert not app.owns(run_id)
    assert len(torchruns()) == 1
    second = app.start(PRESET, corpus, actor="local")
    app.pause(run_id, actor="local").result(60)
    count = len(store.steps(run_id))
    app.step(run_id, actor="local").result(60)
    assert len(store.steps(run_id)) == count + 1
    app.resume(run_id, actor="local").result(60)
    wait_for_steps(store, run_id, count + 3)
    assert states(store, second) == ["queued"]
    app.stop(run_id, actor="local").result(60)
    assert states(store, run_id)[-1] == "stopped"
    assert app.wait(second, timeout=60)
    assert states(store, second) == ["queued", "running", "finished"]
    assert torchruns() == []


@pytest.mark.slow
def test_its_losses_are_those_of_one_process_and_closing_the_app_saves_it(
    store: RunStore, corpus: Corpus
) -> None:
    preset = replace(LONG, training=replace(LONG.training, accumulation_steps=2))
    model = replace(preset.model, drop_rate=0.0)
    preset = replace(preset, model=model)
    runner = TrainingRunner(store, threads=1, max_processes=2)
    run_id = runner.start(preset, corpus, actor="local", devices=TWO)
    wait_for_steps(store, run_id, 5)
    runner.close()
    assert states(store, run_id)[-1] == "interrupted"
    assert torchruns() == []
    count = len(store.steps(run_id))
    assert max(c.global_step for c in store.checkpoints(run_id)) == count - 1
    runner = TrainingRunner(store, threads=1, max_processes=2)
    runner.resume(run_id, actor="local").result(60)  # with as many processes
    wait_for_steps(store, run_id, count + 3)
    assert len(torchruns()) == 1
    runner.stop(run_id, actor="local").result(60)
    both = replace(preset.training, accumulation_steps=4)  # the batches of two processes
    alone = runner.start(preset, corpus, both, actor="local")
    wait_for_steps(store, alone, count + 3)
    runner.close()
    together = losses(store, run_id)[: count + 3]
    assert together == pytest.approx(losses(store, alone)[: count + 3], rel=1e-4)


@pytest.mark.slow
def test_the_death_of_its_processes_is_told_in_words_and_it_can_be_resumed(
    app: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = app.start(LONG, corpus, actor="local", devices=TWO)
    wait_for_steps(store, run_id, 3)
    [torchrun] = torchruns()
    for worker in torchrun.children(recursive=True):
        os.kill(worker.pid, signal.SIGKILL)
    wait_for(store, run_id, "failed")
    run = store.run(run_id)
    assert run is not None
    ended = "The processes that trained it have ended. One was ended by SIGKILL."
    assert run.message == ended
    count = len(store.steps(run_id))
    app.resume(run_id, actor="local").result(60)
    wait_for_steps(store, run_id, count + 2)
    steps = [row.global_step for row in store.steps(run_id)]
    assert steps == list(range(len(steps)))


@pytest.mark.slow
def test_why_its_processes_cannot_begin_is_told_in_their_own_words(
    app: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    first = app.start(LONG, corpus, actor="local")
    other = load_text("days-of-the-week")
    run_id = app.start(PRESET, other, actor="local", devices=TWO)
    store.text_path(other.sha256).unlink()
    app.stop(first, actor="local").result(60)
    wait_for(store, run_id, "failed")
    run = store.run(run_id)
    assert run is not None
    assert "have ended. The text that the run was trained on is missing" in run.message
    second = app.start(PRESET, corpus, actor="local")  # the machine is free again
    assert app.wait(second, timeout=60)
    assert states(store, second)[-1] == "finished"


@pytest.mark.slow
@pytest.mark.whole_run  # in small: tests/runner/test_fair_queue.py
def test_two_runs_train_together_on_devices_of_their_own_beside_a_third(
    store: RunStore, corpus: Corpus
) -> None:
    def start(seed: int, *devices: str, preset: Preset = LONG) -> str:
        other = replace(preset.training, seed=seed)
        return runner.start(preset, corpus, other, actor="local", devices=devices)

    five = [f"cpu:{i}" for i in range(5)]
    runner = TrainingRunner(store, threads=1, devices=five, max_processes=2)
    with closing(runner):
        first, second = start(1, "cpu:1", "cpu:2"), start(2, "cpu:3", "cpu:4")
        alone = start(3)
        for run_id in (first, second, alone):
            wait_for_steps(store, run_id, 2)
        assert len(torchruns()) == 2
        waiting = start(4, "cpu:2", "cpu:3", preset=PRESET)
        behind = start(5, preset=PRESET)
        queue = expected_queue(CachedStore(store), runner)
        assert {place.run.id for place in queue} == {waiting, behind}
        runner.stop(first, actor="local").result(60)
        assert runner.wait(behind, timeout=60)  # on cpu:1, for which nobody waits
        assert states(store, behind)[-1] == "finished"
        assert states(store, waiting) == ["queued"]
        runner.stop(second, actor="local").result(60)
        wait_for(store, waiting, "finished")
    assert torchruns() == []


def test_processes_see_the_gpus_that_were_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert seeing_only(("cuda:0", "cuda:2")) == {"CUDA_VISIBLE_DEVICES": "0,2"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,GPU-abc,7")  # those that the app sees
    assert seeing_only(("cuda:2", "cuda:1")) == {"CUDA_VISIBLE_DEVICES": "GPU-abc,5"}
    assert seeing_only(TWO) == {}


def test_a_run_is_resumed_on_the_gpus_with_which_it_began_or_as_many_others(
    store: RunStore, run: Run
) -> None:
    gpus = tuple(f"cuda:{i}" for i in range(4))
    threads = TrainingThreads(store, 1, 1, time.perf_counter, ClassRules(), gpus)
    on_gpus = replace(run, training_config=replace(run.training_config, device="cuda"))

    def again(devices: str, processes: str, of: TrainingThreads = threads) -> tuple[str, ...]:
        versions = {"devices": devices, "processes": processes}
        return TorchrunRuns(store, of, 1, 4).find_devices(replace(on_gpus, versions=versions))

    try:
        assert again("cuda:1, cuda:3", "2") == ("cuda:1", "cuda:3")
        assert again("cuda:1, cuda:6", "2") == ("cuda:0", "cuda:1")
        assert again("2 × cuda", "2") == ("cuda:0", "cuda:1")  # torchrun in a terminal
        assert again("5 × cuda", "5") == ()  # one process trains it
        assert TorchrunRuns(store, threads, 1, 4).find_devices(on_gpus) == ()
    finally:
        threads.close()

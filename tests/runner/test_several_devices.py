"""Runs spread over the devices there are; here each device is the CPU."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from torch.optim import Optimizer

from gpt_core.config import TrainingConfig
from gpt_core.distributed import Group
from gpt_core.model import GPTModel
from gpt_core.runner import TrainingRunner
from gpt_core.runner import session as session_module
from gpt_core.store import RunState, RunStore
from gpt_core.text import Corpus
from gpt_core.training import create_optimizer
from tests.support.runs import LONG, SIX_EPOCHS, everything, losses, states, wait_for_steps

OTHER = replace(LONG, training=replace(LONG.training, seed=7))
THIRD = replace(LONG, training=replace(LONG.training, seed=8))


@pytest.fixture
def runner(store: RunStore) -> Iterator[TrainingRunner]:
    runner = TrainingRunner(store, threads=1, devices=("cpu", "cpu"))
    yield runner
    runner.close()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


def test_each_device_trains_a_run_of_its_own_and_the_next_waits_for_the_first_that_is_free(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    runs = [runner.start(preset, corpus, actor="local") for preset in (LONG, OTHER, THIRD)]
    for run_id in runs[:2]:
        wait_for_steps(store, run_id, 3)
    assert states(store, runs[2]) == ["queued"]
    for run_id in runs[:2]:  # both still advance
        wait_for_steps(store, run_id, len(store.steps(run_id)) + 3)
    assert list(runner.expected_starts({})) == [runs[2]]
    runner.stop(runs[1], actor="local").result(timeout=30)
    wait_for_steps(store, runs[2], 2)
    assert states(store, runs[0])[-1] == "running"


@pytest.mark.slow
def test_a_run_gives_the_same_numbers_beside_another_as_alone(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, left_alone: dict[str, list]
) -> None:
    other = runner.start(OTHER, corpus, actor="local")
    run_id = runner.start(SIX_EPOCHS, corpus, actor="local")
    assert runner.wait(run_id, timeout=120)
    assert everything(store, run_id) == left_alone
    assert losses(store, other)


@pytest.mark.slow
def test_a_paused_run_frees_its_device_and_goes_on_with_equal_numbers_on_any(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, left_alone: dict[str, list]
) -> None:
    first = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, first, 2)
    run_id = runner.start(SIX_EPOCHS, corpus, actor="local")  # on the second device
    wait_for_steps(store, run_id, 3)
    runner.pause(run_id, actor="local").result(timeout=30)
    third = runner.start(THIRD, corpus, actor="local")
    wait_for_steps(store, third, 2)  # on the second device
    runner.step(run_id, actor="local").result(timeout=30)  # not in a checkpoint
    runner.stop(first, actor="local").result(timeout=30)
    runner.resume(run_id, actor="local").result(timeout=30)  # on the first
    assert runner.wait(run_id, timeout=120)
    assert everything(store, run_id) == left_alone
    assert states(store, third)[-1] == "running"


@pytest.mark.slow
def test_a_run_that_was_looked_into_before_it_begins_moves_with_its_model(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, left_alone: dict[str, list]
) -> None:
    busy = [runner.start(preset, corpus, actor="local") for preset in (LONG, OTHER)]
    for run_id in busy:
        wait_for_steps(store, run_id, 2)
    run_id = runner.start(SIX_EPOCHS, corpus, actor="local")
    runner.pause(run_id, actor="local").result(timeout=30)
    runner.step(run_id, actor="local").result(timeout=30)
    runner.resume(run_id, actor="local").result(timeout=30)
    assert states(store, run_id)[-1] == "queued"
    runner.stop(busy[1], actor="local").result(timeout=30)  # the second device is free
    assert runner.wait(run_id, timeout=120)
    assert everything(store, run_id) == left_alone


@pytest.mark.slow
def test_two_hundred_requests_to_runs_on_two_devices_change_no_loss(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, left_alone: dict[str, list]
) -> None:
    same = [replace(SIX_EPOCHS, name=name) for name in ("one", "two", "three")]
    runs = [
        runner.start(preset, corpus, actor=owner, run_id=f"run-{owner}")
        for preset, owner in zip(same, ("local", "teacher", "ada"), strict=True)
    ]
    answers: list[object] = []

    def ask(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(25):
            what = draw.choice(["pause", "resume", "checkpoint", "snapshot", "resume", "step"])
            try:
                request = getattr(runner, what)(draw.choice(runs), actor="local")
                answers.append(request.result(timeout=60))
            except ValueError as error:  # the run has ended meanwhile, or is not paused
                answers.append(error)
            time.sleep(draw.random() / 50)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(answers) == 200
    assert sum(not isinstance(answer, ValueError) for answer in answers) > 20
    for run_id in runs:
        if runner.owns(run_id):
            runner.resume(run_id, actor="local").result(timeout=30)
    for run_id in runs:
        assert runner.wait(run_id, timeout=120)
        assert states(store, run_id)[-1] == "finished"
        assert everything(store, run_id) == left_alone


def test_a_student_trains_one_run_at_a_time_however_many_devices_are_free(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    first = runner.start(LONG, corpus, actor="ann")
    second = runner.start(OTHER, corpus, actor="ann")
    wait_for_steps(store, first, 5)
    assert states(store, second) == ["queued"]
    third = runner.start(THIRD, corpus, actor="ben")
    wait_for_steps(store, third, 2)
    assert states(store, second) == ["queued"]


def test_a_run_on_the_cpu_is_not_given_to_a_gpu(store: RunStore, corpus: Corpus) -> None:
    runner = TrainingRunner(store, threads=1, devices=("cpu", "cuda:1"))
    try:
        first = runner.start(LONG, corpus, actor="local")
        wait_for_steps(store, first, 2)
        second = runner.start(OTHER, corpus, actor="local")
        wait_for_steps(store, first, len(store.steps(first)) + 5)
        assert states(store, second) == ["queued"]
    finally:
        runner.close()


def test_closing_saves_the_runs_of_all_devices(store: RunStore, corpus: Corpus) -> None:
    runner = TrainingRunner(store, threads=1, devices=("cpu", "cpu"))
    runs = [runner.start(preset, corpus, actor="local") for preset in (LONG, OTHER, THIRD)]
    for run_id in runs[:2]:
        wait_for_steps(store, run_id, 3)
    runner.close()
    wait_until(lambda: "training" not in [thread.name for thread in threading.enumerate()])
    for run_id in runs:
        run = store.run(run_id)
        assert run is not None
        assert run.state is RunState.INTERRUPTED
    for run_id in runs[:2]:
        [whole] = [c for c in store.checkpoints(run_id) if c.kind.value == "whole"]
        assert whole.global_step == store.steps(run_id)[-1].global_step


def test_a_run_that_fails_on_one_device_frees_it(
    runner: TrainingRunner,
    store: RunStore,
    corpus: Corpus,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail_for_one(model: GPTModel, config: TrainingConfig, group: Group) -> Optimizer:
        if config.seed == OTHER.training.seed:
            raise RuntimeError("the optimizer is broken")
        return create_optimizer(model, config, group)

    caplog.set_level(logging.CRITICAL + 1)
    monkeypatch.setattr(session_module, "create_optimizer", fail_for_one)
    first = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, first, 2)
    failing, third = (runner.start(preset, corpus, actor="local") for preset in (OTHER, THIRD))
    wait_for_steps(store, third, 2)
    assert states(store, failing) == ["queued", "running", "failed"]
    assert states(store, first)[-1] == "running"

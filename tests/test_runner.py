import logging
import multiprocessing
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tiktoken
import torch

from gpt_core import (
    Corpus,
    EvaluationRecord,
    GPTModel,
    Preset,
    Record,
    RunStore,
    SampleRecord,
    StepRecord,
    TrainingRunner,
    create_optimizer,
    load_text,
    prepare_data,
    train,
)
from gpt_core import runner as runner_module
from tests.conftest import TINY, TINY_TRAINING

PRESET = Preset("tiny", "Two layers.", TINY, TINY_TRAINING)
LONG = Preset("tiny", "Two layers.", TINY, replace(TINY_TRAINING, num_epochs=500))


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path)


@pytest.fixture
def runner(store: RunStore) -> Iterator[TrainingRunner]:
    runner = TrainingRunner(store)
    yield runner
    runner.close()


@pytest.fixture
def corpus() -> Corpus:
    return load_text("counting")


def wait_for_steps(store: RunStore, run_id: str, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(store.steps(run_id)) < count:
        assert time.monotonic() < deadline, "the run does not advance"
        time.sleep(0.02)


def states(store: RunStore, run_id: str) -> list[str]:
    return [row["state"] for row in store.transitions(run_id)]


def test_a_run_goes_from_queued_to_finished_and_everything_is_written_down(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(PRESET, corpus, actor="ada")
    assert runner.wait(run_id, timeout=60)
    run = store.run(run_id)
    assert run is not None
    assert states(store, run_id) == ["queued", "running", "finished"]
    assert (run.owner, run.text_name, run.text_sha256) == ("ada", corpus.name, corpus.sha256)
    assert [row["global_step"] for row in store.steps(run_id)] == list(range(run.total_steps))
    assert len(store.evaluations(run_id)) == len(range(0, run.total_steps, 5))
    assert [row["epoch"] for row in store.samples(run_id)] == [1, 2]
    assert run.versions["torch"] == torch.__version__


def test_a_run_in_the_runner_gives_the_losses_of_the_plain_loop(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, tokenizer: tiktoken.Encoding
) -> None:
    run_id = runner.start(PRESET, corpus)
    runner.wait(run_id, timeout=60)

    data = prepare_data(corpus.text, tokenizer, TINY, TINY_TRAINING)
    torch.manual_seed(TINY_TRAINING.seed)
    model = GPTModel(TINY)
    optimizer = create_optimizer(model, TINY_TRAINING)
    records: list[Record] = list(
        train(model, data.train_loader, data.val_loader, optimizer, tokenizer, TINY_TRAINING)
    )
    plain = [r.loss for r in records if isinstance(r, StepRecord)]
    assert [row["loss"] for row in store.steps(run_id)] == plain
    evaluations = [(r.train_loss, r.val_loss) for r in records if isinstance(r, EvaluationRecord)]
    stored = [(row["train_loss"], row["val_loss"]) for row in store.evaluations(run_id)]
    assert stored == evaluations
    samples = [r.text for r in records if isinstance(r, SampleRecord)]
    assert [row["text"] for row in store.samples(run_id)] == samples


def test_stop_ends_a_run_and_no_step_comes_after_it(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(LONG, corpus, actor="ada")
    wait_for_steps(store, run_id, 3)
    assert runner.owns(run_id)
    runner.stop(run_id, actor="teacher")
    assert runner.wait(run_id, timeout=30)
    count = len(store.steps(run_id))
    last = store.transitions(run_id)[-1]
    assert (last["state"], last["actor"]) == ("stopped", "teacher")
    time.sleep(0.3)
    assert len(store.steps(run_id)) == count
    assert not runner.owns(run_id)
    assert not runner.is_stopping(run_id)


def test_what_does_not_train_cannot_be_stopped(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    with pytest.raises(ValueError, match="nothing to stop"):
        runner.stop("nobody")
    run_id = runner.start(PRESET, corpus)
    runner.wait(run_id, timeout=60)
    with pytest.raises(ValueError, match="nothing to stop"):
        runner.stop(run_id)
    assert states(store, run_id)[-1] == "finished"


def test_eight_starts_at_once_start_one_run(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    refused: list[str] = []

    def start() -> None:
        try:
            runner.start(LONG, corpus)
        except ValueError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.runs()) == 1
    assert len(refused) == 7
    assert all("is training already" in message for message in refused)


def test_after_a_run_has_ended_the_next_one_starts(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    first = runner.start(PRESET, corpus)
    runner.wait(first, timeout=60)
    second = runner.start(PRESET, corpus)
    runner.wait(second, timeout=60)
    losses = [[row["loss"] for row in store.steps(run_id)] for run_id in (first, second)]
    assert losses[0] == losses[1]


def test_a_text_too_short_leaves_no_trace(runner: TrainingRunner, store: RunStore) -> None:
    with pytest.raises(ValueError, match="too short"):
        runner.start(PRESET, Corpus("short", "Just this."))
    assert store.runs() == []


def test_a_run_that_fails_says_why_and_the_next_one_trains(
    runner: TrainingRunner,
    store: RunStore,
    corpus: Corpus,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("not enough memory for the optimizer")

    caplog.set_level(logging.CRITICAL + 1)
    with monkeypatch.context() as patch:
        patch.setattr(runner_module, "create_optimizer", fail)
        run_id = runner.start(PRESET, corpus)
        runner.wait(run_id, timeout=60)
    run = store.run(run_id)
    assert run is not None
    assert (run.state, run.message) == ("failed", "not enough memory for the optimizer")
    again = runner.start(PRESET, corpus)
    runner.wait(again, timeout=60)
    assert states(store, again)[-1] == "finished"


def test_close_interrupts_what_trains_and_may_be_called_twice(
    store: RunStore, corpus: Corpus
) -> None:
    runner = TrainingRunner(store)
    run_id = runner.start(LONG, corpus)
    wait_for_steps(store, run_id, 2)
    runner.close()
    runner.close()
    assert states(store, run_id) == ["queued", "running", "interrupted"]
    with pytest.raises(ValueError, match="closing"):
        runner.start(PRESET, corpus)


def _train_until_killed(runs_dir: Path) -> None:
    runner = TrainingRunner(RunStore(runs_dir))
    runner.wait(runner.start(LONG, load_text("counting")))


def test_a_run_whose_process_was_killed_is_interrupted_but_a_living_one_is_not(
    tmp_path: Path,
) -> None:
    store = RunStore(tmp_path)
    process = multiprocessing.get_context("spawn").Process(
        target=_train_until_killed, args=(tmp_path,)
    )
    process.start()
    deadline = time.monotonic() + 60
    while not store.live_runs() and time.monotonic() < deadline:
        time.sleep(0.05)
    run_id = store.live_runs()[0].id
    wait_for_steps(store, run_id, 2)

    beside = TrainingRunner(store)  # opens while the other process trains
    beside.close()
    assert [run.id for run in store.live_runs()] == [run_id]

    process.kill()
    process.join()
    after = TrainingRunner(store)
    after.close()
    run = store.run(run_id)
    assert run is not None
    assert (run.state, run.message) == ("interrupted", "The process that trained it is gone.")
    steps = [row["global_step"] for row in store.steps(run_id)]
    assert steps == list(range(len(steps)))

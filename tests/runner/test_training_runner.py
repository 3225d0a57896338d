import errno
import gc
import itertools
import logging
import multiprocessing
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import tiktoken
import torch

from gpt_core.analysis import Board
from gpt_core.model import GPTModel, calc_loss_batch, generate
from gpt_core.presets import Preset
from gpt_core.records import EvaluationRecord, Record, SampleRecord, StepRecord
from gpt_core.runner import TrainingRunner, training_thread
from gpt_core.runner import request_queue as requests_module
from gpt_core.runner import session as session_module
from gpt_core.store import RunStore, mark_interrupted_runs
from gpt_core.system import describe_error
from gpt_core.text import Corpus, load_text
from gpt_core.training import create_optimizer, prepare_data, train
from gpt_core.training import gradients
from tests.conftest import TINY, TINY_TRAINING

PRESET = Preset("tiny", "Two layers.", TINY, TINY_TRAINING)
SIX_EPOCHS = Preset("tiny", "Two layers.", TINY, replace(TINY_TRAINING, num_epochs=6))
LONG = Preset("tiny", "Two layers.", TINY, replace(TINY_TRAINING, num_epochs=500))


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


def losses(store: RunStore, run_id: str) -> list[float]:
    return [row["loss"] for row in store.steps(run_id)]


def everything(store: RunStore, run_id: str) -> dict[str, list]:
    """All that a run recorded, without row numbers, names and times."""
    return {
        table: [
            {k: v for k, v in row.items() if k not in ("id", "run_id", "seconds", "memory")}
            for row in rows
        ]
        for table, rows in (
            ("steps", store.steps(run_id)),
            ("evaluations", store.evaluations(run_id)),
            ("samples", store.samples(run_id)),
        )
    }


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


@pytest.mark.slow
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


def test_stop_ends_a_run_with_a_checkpoint_and_no_step_comes_after_it(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(LONG, corpus, actor="ada")
    wait_for_steps(store, run_id, 3)
    assert runner.owns(run_id)
    runner.stop(run_id, actor="teacher").result(timeout=30)
    count = len(store.steps(run_id))
    last = store.transitions(run_id)[-1]
    assert (last["state"], last["actor"]) == ("stopped", "teacher")
    assert store.checkpoints(run_id)[-1]["global_step"] == count - 1
    time.sleep(0.3)
    assert len(store.steps(run_id)) == count
    assert not runner.owns(run_id)
    assert runner.pending(run_id) == ""


def test_a_paused_run_takes_no_step_until_it_is_resumed(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(LONG, corpus, actor="ada")
    wait_for_steps(store, run_id, 3)
    runner.pause(run_id, actor="ada").result(timeout=30)
    count = len(store.steps(run_id))
    assert store.checkpoints(run_id)[-1]["global_step"] == count - 1
    time.sleep(0.3)
    assert len(store.steps(run_id)) == count
    runner.resume(run_id, actor="teacher").result(timeout=30)
    wait_for_steps(store, run_id, count + 3)
    rows = store.transitions(run_id)
    assert [row["state"] for row in rows] == ["queued", "running", "paused", "queued", "running"]
    assert [row["actor"] for row in rows[2:4]] == ["ada", "teacher"]


def test_a_paused_or_queued_run_can_be_stopped(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    paused = runner.start(LONG, corpus)
    wait_for_steps(store, paused, 1)
    runner.pause(paused).result(timeout=30)
    running = runner.start(LONG, corpus, actor="another")
    queued = runner.start(LONG, corpus, actor="a third")
    wait_for_steps(store, running, 1)
    runner.stop(paused).result(timeout=30)
    runner.stop(queued).result(timeout=30)
    assert states(store, paused)[-1] == "stopped"
    assert states(store, queued) == ["queued", "stopped"]
    assert states(store, running)[-1] == "running"


@pytest.mark.slow
def test_runs_wait_in_a_queue_and_go_one_after_the_other(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    first = runner.start(LONG, corpus, actor="ada")
    second = runner.start(PRESET, corpus, actor="bob")
    wait_for_steps(store, first, 3)
    assert states(store, second) == ["queued"]
    runner.stop(first).result(timeout=30)
    runner.wait(second, timeout=60)
    assert states(store, second) == ["queued", "running", "finished"]


@pytest.mark.slow
def test_two_active_runs_advance_by_turns_and_neither_disturbs_the_other(
    store: RunStore, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_thread, "TURN_SECONDS", 0.05)
    other = Preset("tiny", "Another seed.", TINY, replace(TINY_TRAINING, seed=9))
    runner = TrainingRunner(store, active_runs=2)
    together = [runner.start(preset, corpus) for preset in (PRESET, other)]
    for run_id in together:
        runner.wait(run_id, timeout=60)
    alone = []
    for preset in (PRESET, other):
        alone.append(runner.start(preset, corpus))
        runner.wait(alone[-1], timeout=60)
    runner.close()
    order = [
        row["run_id"]
        for row in sorted(
            (row for run_id in together for row in store.steps(run_id)), key=lambda row: row["id"]
        )
    ]
    assert order[0] in order[order.index(together[1]) :], "they did not take turns"
    for a, b in zip(together, alone, strict=True):
        assert losses(store, a) == losses(store, b)


def test_what_is_not_live_cannot_be_asked(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    with pytest.raises(ValueError, match="nobody is not live here"):
        runner.stop("nobody")
    with pytest.raises(ValueError, match="There is no run nobody"):
        runner.resume("nobody")
    run_id = runner.start(PRESET, corpus)
    runner.wait(run_id, timeout=60)
    for ask in (runner.stop, runner.pause, runner.checkpoint, runner.snapshot):
        with pytest.raises(ValueError, match="not live here"):
            ask(run_id)
    with pytest.raises(ValueError, match="has finished"):
        runner.resume(run_id)
    assert states(store, run_id)[-1] == "finished"


def test_eight_equal_starts_at_once_start_one_run(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_ids: list[str] = []
    threads = [
        threading.Thread(target=lambda: run_ids.append(runner.start(LONG, corpus)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(run_ids) == 8
    assert len(set(run_ids)) == 1
    assert [run.id for run in store.runs()] == run_ids[:1]


@pytest.mark.slow
def test_after_a_run_has_ended_an_equal_one_gives_the_same_losses(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    first = runner.start(PRESET, corpus)
    runner.wait(first, timeout=60)
    second = runner.start(PRESET, corpus)
    runner.wait(second, timeout=60)
    assert first != second
    assert losses(store, first) == losses(store, second)


def test_a_run_can_be_named_once_and_only_by_a_plain_name(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    assert runner.start(PRESET, corpus, run_id="my-run_1.0") == "my-run_1.0"
    runner.wait("my-run_1.0", timeout=60)
    with pytest.raises(ValueError, match="is taken"):
        runner.start(PRESET, corpus, run_id="my-run_1.0")
    for name in ("", "../up", "a/b", ".hidden", "x" * 65, "<b>"):
        with pytest.raises(ValueError, match="no name for a run"):
            runner.start(PRESET, corpus, run_id=name)


class CountingStore(RunStore):
    """A store that knows how often records were written to it."""

    writes = 0

    def add_records(
        self, run_id: str, records: Iterable[tuple[Record, float]], memory: int = 0
    ) -> None:
        self.writes += 1
        super().add_records(run_id, records, memory)


@pytest.mark.slow
def test_records_are_written_in_batches_by_time_not_one_by_one(
    tmp_path: Path, corpus: Corpus
) -> None:
    """On a clock that goes on by a millisecond each time somebody looks at it."""
    store = CountingStore(tmp_path)
    clock = itertools.count()
    runner = TrainingRunner(store, timer=lambda: next(clock) / 1000)
    quiet = replace(SIX_EPOCHS.training, eval_freq=10_000, keep_epochs=0)
    run_id = runner.start(SIX_EPOCHS, corpus, quiet)
    runner.wait(run_id, timeout=120)
    runner.close()
    assert len(store.steps(run_id)) == 108
    assert store.writes < 20
    store.close()


# Exact resume: bit for bit the losses of the run that was left alone


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """Everything recorded by a run that nobody touched."""
    store = RunStore(tmp_path_factory.mktemp("alone"))
    runner = TrainingRunner(store)
    run_id = runner.start(SIX_EPOCHS, load_text("counting"))
    runner.wait(run_id, timeout=120)
    runner.close()
    recorded = everything(store, run_id)
    store.close()
    return recorded


@pytest.mark.slow
def test_a_paused_copied_and_saved_run_gives_the_same_losses(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, left_alone: dict[str, list]
) -> None:
    run_id = runner.start(SIX_EPOCHS, corpus)
    for count in (3, 9, 20, 40):
        wait_for_steps(store, run_id, count)
        runner.pause(run_id).result(timeout=30)
        snapshot = runner.snapshot(run_id).result(timeout=30)
        generate(snapshot.model, torch.tensor([[1, 2]]), 3)
        runner.resume(run_id).result(timeout=30)
        runner.checkpoint(run_id).result(timeout=30)
    runner.wait(run_id, timeout=120)
    assert everything(store, run_id) == left_alone


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 7, 25, 60])
def test_a_stopped_and_resumed_run_gives_the_same_losses(
    steps: int, runner: TrainingRunner, store: RunStore, corpus: Corpus, left_alone: dict[str, list]
) -> None:
    run_id = runner.start(SIX_EPOCHS, corpus)
    wait_for_steps(store, run_id, steps)
    runner.stop(run_id).result(timeout=30)
    runner.resume(run_id).result(timeout=30)
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
    run_id = runner.start(SIX_EPOCHS, corpus)
    for count in (5, 30):
        wait_for_steps(store, run_id, count)
        runner.close()
        run = store.run(run_id)
        assert run is not None
        assert run.state == "interrupted"
        assert run.is_resumable
        runner = TrainingRunner(store)
        runner.resume(run_id)
    runner.wait(run_id, timeout=120)
    runner.close()
    assert everything(store, run_id) == left_alone


@pytest.mark.slow
def test_a_replayed_step_that_is_not_what_was_recorded_is_said(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(SIX_EPOCHS, corpus)
    wait_for_steps(store, run_id, 8)
    runner.stop(run_id).result(timeout=30)
    # The checkpoint is lost, so the run starts over: and one number on record is changed.
    connection = sqlite3.connect(store.runs_dir / "runs.sqlite")
    connection.execute("DELETE FROM checkpoints")
    connection.execute("UPDATE steps SET loss = 1.5 WHERE global_step = 4")
    connection.commit()
    connection.close()
    runner.resume(run_id)
    runner.wait(run_id, timeout=120)
    run = store.run(run_id)
    assert run is not None
    assert run.state == "finished"
    assert "Replayed step 4 is not what was recorded: loss" in run.message
    assert [row["global_step"] for row in store.steps(run_id)] == list(range(run.total_steps))


def test_a_run_resumed_on_another_machine_says_so(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(SIX_EPOCHS, corpus)
    wait_for_steps(store, run_id, 3)
    runner.stop(run_id).result(timeout=30)
    connection = sqlite3.connect(store.runs_dir / "runs.sqlite")
    connection.execute("UPDATE runs SET versions = json_set(versions, '$.threads', '64')")
    connection.commit()
    connection.close()
    runner.resume(run_id)
    message = [row["message"] for row in store.transitions(run_id) if row["state"] == "queued"][-1]
    assert re.search(r"threads 64 → \d+.*may differ in the last digits", message)


def test_a_run_whose_text_is_gone_cannot_be_resumed(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(LONG, corpus)
    wait_for_steps(store, run_id, 1)
    runner.stop(run_id).result(timeout=30)
    (store.runs_dir / "texts" / f"{corpus.sha256}.txt").write_text("other words")
    with pytest.raises(ValueError, match="missing or damaged"):
        runner.resume(run_id)
    assert states(store, run_id)[-1] == "stopped"


# Requests


@pytest.mark.slow
def test_time_spent_paused_does_not_count_as_training(store: RunStore, corpus: Corpus) -> None:
    away = [0.0]
    runner = TrainingRunner(store, timer=lambda: time.perf_counter() + away[0])
    run_id = runner.start(SIX_EPOCHS, corpus)
    wait_for_steps(store, run_id, 10)
    runner.pause(run_id).result(timeout=30)
    away[0] = 1_000_000.0  # a night goes by
    runner.resume(run_id).result(timeout=30)
    runner.wait(run_id, timeout=120)
    runner.close()
    assert states(store, run_id)[-1] == "finished"
    assert store.steps(run_id)[-1]["seconds"] < 1000


def test_an_equal_start_beside_a_paused_run_starts_another(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    paused = runner.start(LONG, corpus)
    runner.pause(paused).result(timeout=30)
    assert runner.start(LONG, corpus) != paused


@pytest.mark.slow
def test_what_a_killed_process_left_beside_the_checkpoints_is_swept(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(SIX_EPOCHS, corpus)
    wait_for_steps(store, run_id, 20)
    runner.stop(run_id).result(timeout=30)
    folder = store.runs_dir / "checkpoints" / run_id
    for name in (".000017-weights.removed", ".000099-whole.part", "000099-weights"):
        (folder / name).mkdir()
        (folder / name / "model.safetensors").write_bytes(b"left behind")
    runner.resume(run_id)
    runner.wait(run_id, timeout=120)
    assert states(store, run_id)[-1] == "finished"
    rows = store.checkpoints(run_id)
    assert {p.name for p in folder.iterdir()} == {row["folder"].split("/")[-1] for row in rows}


@pytest.mark.parametrize("settings", [{"threads": 0}, {"threads": -1}, {"active_runs": 0}])
def test_a_runner_without_threads_or_places_is_refused(
    settings: dict[str, int], store: RunStore
) -> None:
    with pytest.raises(ValueError, match="choose 1 or more"):
        TrainingRunner(store, **settings)


def test_a_snapshot_is_made_once_per_step_and_is_not_the_model_that_trains(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(LONG, corpus)
    wait_for_steps(store, run_id, 3)
    runner.pause(run_id).result(timeout=30)
    first, second = (runner.snapshot(run_id).result(timeout=30) for _ in range(2))
    assert first.model is second.model
    assert first.global_step == len(store.steps(run_id)) - 1
    before = first.model.tok_emb.weight.clone()
    runner.resume(run_id).result(timeout=30)
    wait_for_steps(store, run_id, first.global_step + 5)
    assert torch.equal(first.model.tok_emb.weight, before)
    third = runner.snapshot(run_id).result(timeout=30)
    assert third.global_step > first.global_step
    assert not torch.equal(third.model.tok_emb.weight, before)
    assert not third.model.training


def models_in_memory() -> int:
    gc.collect()
    return sum(type(thing) is GPTModel for thing in gc.get_objects())


def test_a_run_that_stands_still_keeps_no_model_in_memory(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    training_thread.prepare_optimizers()  # what is there by then is not counted
    others = models_in_memory()
    run_id = runner.start(LONG, corpus)
    wait_for_steps(store, run_id, 3)
    assert models_in_memory() == others + 1
    waiting = runner.start(SIX_EPOCHS, corpus)
    copies = [runner.snapshot(waiting).result(timeout=30)]  # as it will begin
    assert copies[0].global_step == -1
    assert models_in_memory() == others + 2  # the copy, and what trains
    runner.stop(waiting).result(timeout=30)

    runner.pause(run_id).result(timeout=30)
    step = len(store.steps(run_id)) - 1
    copies = [runner.snapshot(run_id).result(timeout=30) for _ in range(2)]
    assert copies[0].model is copies[1].model
    assert copies[0].global_step == step
    assert models_in_memory() == others + 1  # the copy
    copies.clear()
    assert models_in_memory() == others

    runner.step(run_id).result(timeout=30)
    assert models_in_memory() == others + 1  # what is not saved is kept
    runner.resume(run_id).result(timeout=30)
    wait_for_steps(store, run_id, step + 4)
    runner.pause(run_id).result(timeout=30)
    assert models_in_memory() == others


def test_a_request_that_fails_answers_with_its_exception_and_the_run_goes_on(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    # It saves nothing of its own accord after its first evaluation.
    config = replace(LONG.training, eval_freq=10_000, keep_epochs=0)
    run_id = runner.start(LONG, corpus, config)
    wait_for_steps(store, run_id, 2)
    folder = store.runs_dir / "checkpoints" / run_id
    shutil.rmtree(folder)
    folder.write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        runner.checkpoint(run_id).result(timeout=30)
    assert runner.pending(run_id) == ""
    assert runner.complaint(run_id).startswith("Saving failed.")
    folder.unlink()
    count = len(store.steps(run_id))
    wait_for_steps(store, run_id, count + 3)
    assert runner.checkpoint(run_id).result(timeout=30) >= count - 1
    assert runner.complaint(run_id) == ""


def test_a_request_past_its_deadline_answers_with_a_timeout(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = runner.start(LONG, corpus)
    wait_for_steps(store, run_id, 1)
    monkeypatch.setattr(requests_module, "DEADLINE_SECONDS", -1.0)
    with pytest.raises(TimeoutError, match="in time"):
        runner.pause(run_id).result(timeout=30)
    assert states(store, run_id)[-1] == "running"


def test_closing_fails_what_is_still_asked_for(store: RunStore, corpus: Corpus) -> None:
    runner = TrainingRunner(store)
    run_id = runner.start(LONG, corpus)
    wait_for_steps(store, run_id, 1)
    futures = []

    def keep_asking() -> None:
        try:
            while True:
                futures.append(runner.snapshot(run_id))
        except ValueError:
            pass  # the app is closing

    asker = threading.Thread(target=keep_asking)
    asker.start()
    runner.close()
    asker.join()
    outcomes = {type(future.exception(timeout=30)) for future in futures}
    assert outcomes <= {type(None), RuntimeError, ValueError}
    assert futures


@pytest.mark.slow
def test_two_hundred_random_requests_from_eight_threads_lose_no_answer_and_change_no_loss(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, left_alone: dict[str, list]
) -> None:
    run_id = runner.start(SIX_EPOCHS, corpus)
    answers: list[object] = []

    def ask(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(25):
            what = draw.choice(["pause", "resume", "checkpoint", "snapshot", "resume"])
            try:
                answers.append(getattr(runner, what)(run_id).result(timeout=60))
            except ValueError as error:  # the run has ended meanwhile
                answers.append(error)
            time.sleep(draw.random() / 50)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(answers) == 200
    assert sum(not isinstance(answer, ValueError) for answer in answers) > 20
    if runner.owns(run_id):
        runner.resume(run_id).result(timeout=30)
    assert runner.wait(run_id, timeout=120)
    assert states(store, run_id)[-1] == "finished"
    assert everything(store, run_id) == left_alone


def test_a_text_too_short_leaves_no_trace(runner: TrainingRunner, store: RunStore) -> None:
    with pytest.raises(ValueError, match="too short"):
        runner.start(PRESET, Corpus("short", "Just this."))
    assert store.runs() == []


@pytest.mark.slow
def test_a_run_that_fails_says_why_and_the_next_one_trains(
    runner: TrainingRunner,
    store: RunStore,
    corpus: Corpus,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("the optimizer is broken")

    caplog.set_level(logging.CRITICAL + 1)
    with monkeypatch.context() as patch:
        patch.setattr(session_module, "create_optimizer", fail)
        run_id = runner.start(PRESET, corpus)
        runner.wait(run_id, timeout=60)
    run = store.run(run_id)
    assert run is not None
    assert (run.state, run.message) == ("failed", "the optimizer is broken")
    again = runner.start(PRESET, corpus)
    runner.wait(again, timeout=60)
    assert states(store, again)[-1] == "finished"


def test_a_diverging_run_fails_in_words_and_its_last_checkpoint_stays_good(
    runner: TrainingRunner,
    store: RunStore,
    corpus: Corpus,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL + 1)
    run_id = runner.start(LONG, corpus)
    wait_for_steps(store, run_id, 3)
    runner.pause(run_id).result(timeout=30)
    step = store.checkpoints(run_id)[-1]["global_step"]
    with monkeypatch.context() as patch:
        patch.setattr(
            gradients, "calc_loss_batch", lambda *args: calc_loss_batch(*args) * torch.nan
        )
        runner.resume(run_id).result(timeout=30)
        runner.wait(run_id, timeout=30)
    run = store.run(run_id)
    assert run is not None
    assert run.state == "failed"
    assert f"Step {step + 1}: the loss is nan" in run.message
    assert len(store.steps(run_id)) == step + 1
    runner.resume(run_id)
    wait_for_steps(store, run_id, step + 4)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "The memory is full: end other programs"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "The memory is full"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "The disk is full: make room on it",
        ),
        (RuntimeError("[enforce fail] not enough memory: you tried"), "The memory is full"),
        (RuntimeError("something else"), "something else"),
        (sqlite3.OperationalError("unable to open"), "The runs directory could not be read"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/a/place"),
            "The machine refused it (Perm",
        ),
    ],
)
def test_what_ended_a_run_is_said_in_words(error: Exception, words: str) -> None:
    assert describe_error(error).startswith(words)


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="mounts a tiny disk")
@pytest.mark.slow
def test_a_full_disk_fails_the_run_in_words_and_the_next_run_trains(
    tmp_path: Path, corpus: Corpus, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL + 1)
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        store = RunStore(disk)
        runner = TrainingRunner(store)
        run_id = runner.start(SIX_EPOCHS, corpus)  # its weights alone take 6 MB each time
        assert runner.wait(run_id, timeout=60)
        run = store.run(run_id)
        assert run is not None
        assert run.state == "failed"
        assert run.message.startswith("The disk is full: make room on it")
        assert not list(disk.rglob("*.part"))
        steps = [row["global_step"] for row in store.steps(run_id)]
        assert steps == list(range(len(steps)))

        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        runner.resume(run_id)
        runner.wait(run_id, timeout=60)
        assert states(store, run_id)[-1] == "finished"
        runner.close()
        store.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_an_end_that_cannot_be_written_holds_here_until_it_can(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL + 1)
    board = Board(store)
    run_id = runner.start(LONG, corpus)
    wait_for_steps(store, run_id, 3)
    assert [run.id for run in board.live_runs()] == [run_id]
    store._database._writer.execute("PRAGMA query_only = ON")  # as on a disk that is only read
    assert runner.wait(run_id, timeout=60)
    run = board.run(run_id)
    assert run is not None
    assert run.state == "failed"
    assert "could not be read or written" in run.message
    assert board.live_runs() == []
    with closing(RunStore(store.runs_dir)) as another:
        assert another.live_runs() != []  # nothing was written
    mark_interrupted_runs(store)  # tries in vain

    store._database._writer.execute("PRAGMA query_only = OFF")
    mark_interrupted_runs(store)
    assert store.held_ends == {}
    with closing(RunStore(store.runs_dir)) as another:
        [written] = another.runs()
        assert (written.state, written.message) == (run.state, run.message)
    runner.resume(run_id)
    wait_for_steps(store, run_id, 6)


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


@pytest.mark.slow
def test_a_run_whose_process_was_killed_is_interrupted_but_a_living_one_is_not(
    store: RunStore,
) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=_train_until_killed, args=(store.runs_dir,)
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

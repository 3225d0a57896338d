"""A run from its start to its end: paused, stopped, asked, copied."""

import gc
import itertools
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gpt_core.model import GPTModel
from gpt_core.records import Record
from gpt_core.runner import TrainingRunner, training_thread
from gpt_core.store import CheckpointKind, RunStore
from gpt_core.text import Corpus
from tests.support.runs import LONG, PRESET, SIX_EPOCHS, states, wait_for_steps


def test_a_run_goes_from_queued_to_finished_and_everything_is_written_down(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(PRESET, corpus, actor="ada")
    assert runner.wait(run_id, timeout=60)
    run = store.run(run_id)
    assert run is not None
    assert states(store, run_id) == ["queued", "running", "finished"]
    assert (run.owner, run.text_name, run.text_sha256) == ("ada", corpus.name, corpus.sha256)
    assert [row.global_step for row in store.steps(run_id)] == list(range(run.total_steps))
    assert len(store.evaluations(run_id)) == len(range(0, run.total_steps, 5))
    assert [row.epoch for row in store.samples(run_id)] == [1, 2]
    assert run.versions["torch"] == torch.__version__


@pytest.mark.parametrize("keep_epochs", [0, 1])
def test_a_finished_run_leaves_its_best_and_its_last_weights_without_the_optimizer(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, keep_epochs: int
) -> None:
    config = replace(PRESET.training, keep_epochs=keep_epochs)
    run_id = runner.start(PRESET, corpus, config, actor="ada")
    assert runner.wait(run_id, timeout=60)
    checkpoints = store.checkpoints(run_id)
    assert {checkpoint.kind for checkpoint in checkpoints} == {CheckpointKind.WEIGHTS}
    best, last = store.best_checkpoint(run_id), store.steps(run_id)[-1].global_step
    assert best is not None
    assert {checkpoint.global_step for checkpoint in checkpoints} == {best.global_step, last}
    folders = {path.name for path in (store.runs_dir / "checkpoints" / run_id).iterdir()}
    assert folders == {Path(checkpoint.folder).name for checkpoint in checkpoints}


def test_stop_ends_a_run_with_a_checkpoint_and_no_step_comes_after_it(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(LONG, corpus, actor="ada")
    wait_for_steps(store, run_id, 3)
    assert runner.owns(run_id)
    runner.stop(run_id, actor="teacher").result(timeout=30)
    count = len(store.steps(run_id))
    last = store.transitions(run_id)[-1]
    assert (last.state, last.actor) == ("stopped", "teacher")
    assert store.checkpoints(run_id)[-1].global_step == count - 1
    time.sleep(0.3)
    assert len(store.steps(run_id)) == count
    assert not runner.owns(run_id)
    assert runner.pending(run_id) is None


def test_a_paused_run_takes_no_step_until_it_is_resumed(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(LONG, corpus, actor="ada")
    wait_for_steps(store, run_id, 3)
    runner.pause(run_id, actor="ada").result(timeout=30)
    count = len(store.steps(run_id))
    assert store.checkpoints(run_id)[-1].global_step == count - 1
    time.sleep(0.3)
    assert len(store.steps(run_id)) == count
    runner.resume(run_id, actor="teacher").result(timeout=30)
    wait_for_steps(store, run_id, count + 3)
    rows = store.transitions(run_id)
    assert [row.state for row in rows] == ["queued", "running", "paused", "queued", "running"]
    assert [row.actor for row in rows[2:4]] == ["ada", "teacher"]


def test_a_paused_or_queued_run_can_be_stopped(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    paused = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, paused, 1)
    runner.pause(paused, actor="local").result(timeout=30)
    running = runner.start(LONG, corpus, actor="another")
    queued = runner.start(LONG, corpus, actor="a third")
    wait_for_steps(store, running, 1)
    runner.stop(paused, actor="local").result(timeout=30)
    runner.stop(queued, actor="local").result(timeout=30)
    assert states(store, paused)[-1] == "stopped"
    assert states(store, queued) == ["queued", "stopped"]
    assert states(store, running)[-1] == "running"


def test_what_is_not_live_cannot_be_asked(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    with pytest.raises(ValueError, match="There is no run nobody"):
        runner.stop("nobody", actor="local")
    with pytest.raises(ValueError, match="There is no run nobody"):
        runner.resume("nobody", actor="local")
    run_id = runner.start(PRESET, corpus, actor="local")
    runner.wait(run_id, timeout=60)
    for ask in (runner.stop, runner.pause, runner.checkpoint, runner.snapshot):
        with pytest.raises(ValueError, match="not live"):
            ask(run_id, actor="local")
    with pytest.raises(ValueError, match="has finished"):
        runner.resume(run_id, actor="local")
    assert states(store, run_id)[-1] == "finished"


def test_eight_equal_starts_at_once_start_one_run(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_ids: list[str] = []
    threads = [
        threading.Thread(target=lambda: run_ids.append(runner.start(LONG, corpus, actor="local")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(run_ids) == 8
    assert len(set(run_ids)) == 1
    assert [run.id for run in store.runs()] == run_ids[:1]


def test_a_run_can_be_named_once_and_only_by_a_plain_name(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    assert runner.start(PRESET, corpus, run_id="my-run_1.0", actor="local") == "my-run_1.0"
    runner.wait("my-run_1.0", timeout=60)
    with pytest.raises(ValueError, match="is taken"):
        runner.start(PRESET, corpus, run_id="my-run_1.0", actor="local")
    for name in ("", "../up", "a/b", ".hidden", "x" * 65, "<b>"):
        with pytest.raises(ValueError, match="is not a valid run ID"):
            runner.start(PRESET, corpus, run_id=name, actor="local")


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
    run_id = runner.start(SIX_EPOCHS, corpus, quiet, actor="local")
    runner.wait(run_id, timeout=120)
    runner.close()
    assert len(store.steps(run_id)) == 108
    assert store.writes < 20
    store.close()


def test_an_equal_start_beside_a_paused_run_starts_another(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    paused = runner.start(LONG, corpus, actor="local")
    runner.pause(paused, actor="local").result(timeout=30)
    assert runner.start(LONG, corpus, actor="local") != paused


@pytest.mark.parametrize("settings", [{"threads": 0}, {"threads": -1}, {"active_runs": 0}])
def test_a_runner_without_threads_or_places_is_refused(
    settings: dict[str, int], store: RunStore
) -> None:
    with pytest.raises(ValueError, match="choose 1 or more"):
        TrainingRunner(store, **settings)


def test_a_snapshot_is_made_once_per_step_and_is_not_the_model_that_trains(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 3)
    runner.pause(run_id, actor="local").result(timeout=30)
    first, second = (runner.snapshot(run_id, actor="local").result(timeout=30) for _ in range(2))
    assert first.model is second.model
    assert first.global_step == len(store.steps(run_id)) - 1
    before = first.model.tok_emb.weight.clone()
    runner.resume(run_id, actor="local").result(timeout=30)
    wait_for_steps(store, run_id, first.global_step + 5)
    assert torch.equal(first.model.tok_emb.weight, before)
    third = runner.snapshot(run_id, actor="local").result(timeout=30)
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
    run_id = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 3)
    assert models_in_memory() == others + 1
    waiting = runner.start(SIX_EPOCHS, corpus, actor="local")
    copies = [runner.snapshot(waiting, actor="local").result(timeout=30)]  # as it will begin
    assert copies[0].global_step == -1
    assert models_in_memory() == others + 2  # the copy, and what trains
    runner.stop(waiting, actor="local").result(timeout=30)

    runner.pause(run_id, actor="local").result(timeout=30)
    step = len(store.steps(run_id)) - 1
    copies = [runner.snapshot(run_id, actor="local").result(timeout=30) for _ in range(2)]
    assert copies[0].model is copies[1].model
    assert copies[0].global_step == step
    assert models_in_memory() == others + 1  # the copy
    copies.clear()
    assert models_in_memory() == others

    runner.step(run_id, actor="local").result(timeout=30)
    assert models_in_memory() == others + 1  # what is not saved is kept
    runner.resume(run_id, actor="local").result(timeout=30)
    wait_for_steps(store, run_id, step + 4)
    runner.pause(run_id, actor="local").result(timeout=30)
    assert models_in_memory() == others


def test_a_text_too_short_leaves_no_trace(runner: TrainingRunner, store: RunStore) -> None:
    with pytest.raises(ValueError, match="too short"):
        runner.start(PRESET, Corpus("short", "Just this."), actor="local")
    assert store.runs() == []


def test_close_interrupts_what_trains_and_may_be_called_twice(
    store: RunStore, corpus: Corpus
) -> None:
    runner = TrainingRunner(store)
    run_id = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 2)
    runner.close()
    runner.close()
    assert states(store, run_id) == ["queued", "running", "interrupted"]
    with pytest.raises(ValueError, match="closing"):
        runner.start(PRESET, corpus, actor="local")

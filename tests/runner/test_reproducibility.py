"""A run in the runner gives the losses of the plain loop, alone or by turns."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import tiktoken
import torch

from gpt_core.model import GPTModel
from gpt_core.presets import Preset
from gpt_core.records import EvaluationRecord, Record, SampleRecord, StepRecord
from gpt_core.runner import TrainingRunner, training_thread
from gpt_core.store import RunStore
from gpt_core.text import Corpus
from gpt_core.training import create_optimizer, prepare_data, train
from tests.conftest import TINY, TINY_TRAINING
from tests.support.runs import LONG, PRESET, everything, losses, wait_for_steps


@pytest.mark.slow
def test_a_run_in_the_runner_gives_the_losses_of_the_plain_loop(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, tokenizer: tiktoken.Encoding
) -> None:
    run_id = runner.start(PRESET, corpus, actor="local")
    runner.wait(run_id, timeout=60)

    data = prepare_data(corpus.text, tokenizer, TINY, TINY_TRAINING)
    torch.manual_seed(TINY_TRAINING.seed)
    model = GPTModel(TINY)
    optimizer = create_optimizer(model, TINY_TRAINING)
    records: list[Record] = list(
        train(model, data.train_loader, data.val_loader, optimizer, tokenizer, TINY_TRAINING)
    )
    plain = [r.loss for r in records if isinstance(r, StepRecord)]
    assert [row.loss for row in store.steps(run_id)] == plain
    evaluations = [(r.train_loss, r.val_loss) for r in records if isinstance(r, EvaluationRecord)]
    stored = [(row.train_loss, row.val_loss) for row in store.evaluations(run_id)]
    assert stored == evaluations
    samples = [r.text for r in records if isinstance(r, SampleRecord)]
    assert [row.text for row in store.samples(run_id)] == samples


@pytest.mark.slow
def test_two_active_runs_advance_by_turns_and_neither_disturbs_the_other(
    store: RunStore, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_thread, "TURN_SECONDS", 0.05)
    other = Preset("tiny", "Another seed.", TINY, replace(TINY_TRAINING, seed=9))
    runner = TrainingRunner(store, active_runs=2)
    together = [runner.start(preset, corpus, actor="local") for preset in (PRESET, other)]
    for run_id in together:
        runner.wait(run_id, timeout=60)
    alone = []
    for preset in (PRESET, other):
        alone.append(runner.start(preset, corpus, actor="local"))
        runner.wait(alone[-1], timeout=60)
    runner.close()
    written = [(row.id, run_id) for run_id in together for row in store.steps(run_id)]
    order = [run_id for _, run_id in sorted(written)]
    assert order[0] in order[order.index(together[1]) :], "they did not take turns"
    for a, b in zip(together, alone, strict=True):
        assert losses(store, a) == losses(store, b)


@contextmanager
def global_generator_in_use(text: str, tokenizer: tiktoken.Encoding) -> Iterator[None]:
    """Let another thread use torch's global generator in every way that a page might."""
    ended, rounds = threading.Event(), 0

    def use() -> None:
        nonlocal rounds
        while not ended.is_set():
            torch.rand(3)
            data = prepare_data(text, tokenizer, TINY, TINY_TRAINING)
            next(iter(data.train_loader))
            next(iter(data.val_loader))
            GPTModel(TINY).train()(torch.zeros(1, 4, dtype=torch.long))
            torch.manual_seed(rounds)
            rounds += 1

    thread = threading.Thread(target=use)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert rounds > 10


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_other_threads_draw_changes_no_run(
    runner: TrainingRunner,
    store: RunStore,
    corpus: Corpus,
    tokenizer: tiktoken.Encoding,
    precision: str,
) -> None:
    config = replace(TINY_TRAINING, num_epochs=4, precision=precision)
    alone = runner.start(PRESET, corpus, config, actor="local")
    runner.wait(alone, timeout=60)
    with global_generator_in_use(corpus.text, tokenizer):
        disturbed = runner.start(PRESET, corpus, config, actor="local")
        runner.wait(disturbed, timeout=60)
    assert len(losses(store, alone)) == 72
    assert everything(store, alone) == everything(store, disturbed)


@pytest.mark.slow
def test_a_run_leaves_the_global_generator_alone(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    state = torch.get_rng_state()
    run_id = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 5)
    runner.snapshot(run_id, actor="local").result(60)
    runner.pause(run_id, actor="local").result(60)
    runner.step(run_id, actor="local").result(60)
    runner.stop(run_id, actor="local").result(60)
    runner.resume(run_id, actor="local").result(60)
    wait_for_steps(store, run_id, 40)
    runner.stop(run_id, actor="local").result(60)
    assert store.samples(run_id)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.slow
def test_after_a_run_has_ended_an_equal_one_gives_the_same_losses(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    first = runner.start(PRESET, corpus, actor="local")
    runner.wait(first, timeout=60)
    second = runner.start(PRESET, corpus, actor="local")
    runner.wait(second, timeout=60)
    assert first != second
    assert losses(store, first) == losses(store, second)

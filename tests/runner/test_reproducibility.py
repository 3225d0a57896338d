"""A run in the runner gives the losses of the plain loop, alone or by turns."""

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
from tests.support.runs import PRESET, losses


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

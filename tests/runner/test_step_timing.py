from dataclasses import replace
from pathlib import Path

import pytest

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.runner import StepTiming, TrainingRunner, estimate_seconds, time_steps
from gpt_core.store import RunStore
from gpt_core.text import load_text
from gpt_core.training import prepare_data
from gpt_core.vocabularies import get_tokenizer
from tests.conftest import TINY, TINY_TRAINING
from tests.support.runs import LONG, SIX_EPOCHS, wait_for_steps


def test_a_runs_time_is_its_steps_evaluations_and_samples() -> None:
    pace = StepTiming(step=2.0, evaluation=3.0, sample=5.0)
    config = TrainingConfig(num_epochs=4, eval_freq=5)
    assert pace.of_the_run(config, 36) == 36 * 2 + 8 * 3 + 4 * 5


@pytest.mark.slow
def test_a_pace_is_measured_in_the_owner_thread_and_changes_nothing(tmp_path: Path) -> None:
    corpus = load_text("counting")
    losses = []
    for asks in (False, True):
        store = RunStore(tmp_path / str(asks))
        runner = TrainingRunner(store)
        run_id = runner.start(LONG, corpus, actor="local")
        wait_for_steps(store, run_id, 3)
        if asks:
            data = prepare_data(corpus.text, get_tokenizer(), TINY, TINY_TRAINING)
            pace = time_steps(runner, TINY, TINY_TRAINING, data).result(timeout=60)
            assert pace.step > 0
            assert pace.evaluation > 0
            assert pace.sample > 0
        wait_for_steps(store, run_id, len(store.steps(run_id)) + 20)
        runner.close()
        losses.append([row.loss for row in store.steps(run_id)])
    shorter = min(map(len, losses))
    assert losses[0][:shorter] == losses[1][:shorter]
    assert shorter > 20


def test_a_closed_runner_measures_nothing_and_says_so(tmp_path: Path) -> None:
    runner = TrainingRunner(RunStore(tmp_path))
    runner.close()
    data = prepare_data(load_text("counting").text, get_tokenizer(), TINY, TINY_TRAINING)
    with pytest.raises(ValueError, match="The app is closing"):
        time_steps(runner, TINY, TINY_TRAINING, data)


def test_an_estimate_grows_with_the_text_the_model_and_the_epochs() -> None:
    config = TrainingConfig(num_epochs=2, precision="float32")

    def seconds(tokens: int, model: GPTConfig = TINY, config: TrainingConfig = config) -> float:
        estimate = estimate_seconds(model, config, tokens, tokens // 9)
        assert estimate is not None
        return estimate

    once = seconds(100_000)
    assert seconds(200_000) == pytest.approx(2 * once, rel=0.05)
    assert seconds(100_000, config=replace(config, num_epochs=4)) == pytest.approx(
        2 * once, rel=0.05
    )
    assert seconds(100_000, replace(TINY, n_layers=9)) > once
    assert seconds(100_000, replace(TINY, emb_dim=256, n_heads=4)) > 2 * once


def test_a_text_too_short_to_train_on_has_no_estimate() -> None:
    assert estimate_seconds(TINY, TINY_TRAINING, 5, 5) is None
    assert estimate_seconds(TINY, TINY_TRAINING, 100_000, 5) is None


def test_the_newest_run_on_a_machine_like_this_one_tells_how_fast_it_is(
    store: RunStore, runner: TrainingRunner
) -> None:
    corpus = load_text("counting")
    run_id = runner.start(SIX_EPOCHS, corpus, actor="local")
    runner.wait(run_id, timeout=120)
    [summary] = store.summaries()
    run = summary.run
    slow = replace(summary, seconds=1000.0 * summary.steps_done)  # 1000 s a step
    settings = (run.model_config, run.training_config, run.train_tokens, run.val_tokens)
    assert estimate_seconds(*settings, [slow]) == pytest.approx(1000.0 * run.total_steps)
    longer = replace(run.training_config, num_epochs=12)
    other = (run.model_config, longer, run.train_tokens, run.val_tokens)
    assert estimate_seconds(*other, [slow, summary]) == pytest.approx(2000.0 * run.total_steps)
    for unlike in (
        replace(slow, run=replace(run, versions=run.versions | {"machine": "another"})),
        replace(slow, steps_done=3),
        replace(slow, run=replace(run, training_config=replace(longer, precision="bfloat16"))),
    ):
        assert estimate_seconds(*settings, [unlike]) == estimate_seconds(*settings)

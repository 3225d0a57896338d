from pathlib import Path

import pytest

from gpt_core.config import TrainingConfig
from gpt_core.runner import StepTiming, TrainingRunner, time_steps
from gpt_core.store import RunStore
from gpt_core.text import load_text
from gpt_core.training import prepare_data
from gpt_core.vocabularies import get_tokenizer
from tests.conftest import TINY, TINY_TRAINING
from tests.support.runs import LONG, wait_for_steps


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

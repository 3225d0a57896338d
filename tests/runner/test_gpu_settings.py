"""What is asked for on a GPU, on a machine without one: refused, said, or compiled on the CPU."""

from dataclasses import replace

import pytest
import torch

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner
from gpt_core.runner.new_run import choose_device, prepare_run
from gpt_core.store import RunState, RunStore
from gpt_core.text import Corpus, token_cache_in
from tests.conftest import TINY, TINY_TRAINING
from tests.support.runs import PRESET, wait_for_steps

SMALL = GPTConfig(context_length=32, emb_dim=8, n_heads=2, n_layers=1, drop_rate=0.0)
COMPILED = replace(TINY_TRAINING, vocabulary="characters", num_epochs=40, compile=True)
COMPILING = 400.0  # seconds at most, on a machine that is busy with others
WRONG = "On mps a batch's numbers differ from the CPU's: the logits by 90.0%."


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has TF32")
def test_a_run_with_tf32_is_refused_on_a_cpu(runner: TrainingRunner, corpus: Corpus) -> None:
    with pytest.raises(ValueError, match="tf32=True changes products on cuda only"):
        runner.start(PRESET, corpus, replace(TINY_TRAINING, tf32=True), actor="local")


def test_a_compiled_run_with_dropout_is_refused_on_a_cpu(
    runner: TrainingRunner, corpus: Corpus
) -> None:
    with pytest.raises(ValueError, match="compile=True on a CPU needs drop_rate=0"):
        runner.start(PRESET, corpus, replace(TINY_TRAINING, compile=True), actor="local")


def test_a_short_run_says_that_it_was_not_compiled_and_has_the_same_losses(
    store: RunStore, runner: TrainingRunner, corpus: Corpus
) -> None:
    preset = Preset("small", "One layer.", replace(TINY, drop_rate=0.0), TINY_TRAINING)
    losses = []
    for config in (TINY_TRAINING, replace(TINY_TRAINING, compile=True)):
        run_id = runner.start(preset, corpus, config, actor="local")
        assert runner.wait(run_id, timeout=60)
        losses.append([step.loss for step in store.steps(run_id)])
    assert losses[0] == losses[1] != []
    run = store.run(run_id)
    assert run is not None
    assert run.state is RunState.FINISHED
    assert run.message.startswith("Not compiled: the run has ")


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.slow
def test_a_compiled_run_has_the_plain_ones_losses_and_resumes_exactly(
    store: RunStore, runner: TrainingRunner, corpus: Corpus
) -> None:
    preset, losses = Preset("small", "One layer.", SMALL, COMPILED), []
    plain_id = runner.start(preset, corpus, replace(COMPILED, compile=False), actor="local")
    run_id = runner.start(preset, corpus, actor="local")
    wait_for_steps(store, run_id, 20, seconds=COMPILING)
    runner.stop(run_id, actor="local").result(timeout=60)
    stopped = len(store.steps(run_id))
    runner.resume(run_id, actor="local")
    assert runner.wait(run_id, timeout=COMPILING)
    for each in (plain_id, run_id):
        losses.append([step.loss for step in store.steps(each)])
    assert 20 <= stopped < len(losses[0]) == len(losses[1])
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    assert losses[1] != losses[0]  # it was compiled
    run = store.run(run_id)
    assert run is not None
    assert run.message.startswith("Compiled in ")
    assert "uncompiled." in run.message


def test_where_the_fastest_device_is_wrong_auto_is_the_cpu_and_it_is_recorded(
    store: RunStore, corpus: Corpus
) -> None:
    config = replace(TINY_TRAINING, device="auto")
    cache = token_cache_in(store.runs_dir)
    new = prepare_run(PRESET, corpus, config, "local", None, cache, lambda *configs: WRONG)
    assert new.config == replace(config, device="cpu")
    new.write_down(store, "a-run", {})
    run = store.run("a-run")
    assert run is not None
    assert (run.state, run.message) == (RunState.QUEUED, f"{WRONG} The run trains on the CPU.")


def test_a_wrong_device_that_was_asked_for_by_name_is_refused() -> None:
    """The CPU stands for it: this machine has no other."""
    with pytest.raises(ValueError, match=r"the logits by 90\.0%\. Choose device=cpu"):
        choose_device(TINY, TrainingConfig(device="cpu"), lambda *configs: WRONG)

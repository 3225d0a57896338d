"""Tiny finished runs with several checkpoints, of a vocabulary so small that they take a second."""

from dataclasses import replace
from typing import Any

from dashboard.app import runtime
from gpt_core.config import GPTConfig
from gpt_core.model import GPTModel
from gpt_core.presets import Preset
from gpt_core.text import load_text
from tests.conftest import TINY, TINY_TRAINING

SHAPE = replace(TINY, vocab_size=300)
TRAINING = replace(TINY_TRAINING, vocabulary="bpe", num_epochs=3, keep_epochs=3, eval_freq=1000)


def finished_run(shape: GPTConfig = SHAPE, text: str = "counting", **training: Any) -> str:
    """Train on a bundled text to the end; return the run's ID."""
    runner = runtime.get_runner()
    preset = Preset("pocket", "Two layers.", shape, replace(TRAINING, **training))
    run_id = runner.start(preset, load_text(text), actor="local")
    assert runner.wait(run_id, 60)
    return run_id


def steps_of(run_id: str) -> list[int]:
    """Return the steps of a run's checkpoints, the first first."""
    return sorted(row.global_step for row in runtime.get_store().checkpoints(run_id))


def model_of(run_id: str, step: int | None = None) -> GPTModel:
    """Return a run's model at a checkpoint, the last one if no step is given."""
    cache, store = runtime.get_model_cache(), runtime.get_store()
    step = steps_of(run_id)[-1] if step is None else step
    return cache.checkpoint(store, run_id, step, actor="local")

import gc
import threading
import time
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gpt_core.config import GPTConfig
from gpt_core.inference import ModelCache
from gpt_core.inference import model_cache as cache_module
from gpt_core.model import (
    BYTES_PER_PARAMETER,
    GPTModel,
    build_model,
    count_config_parameters,
    count_parameters,
)
from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import load_text
from tests.conftest import TINY, TINY_TRAINING
from tests.support.runs import LONG, wait_for_steps


@pytest.fixture
def cache() -> ModelCache:
    return ModelCache()


def test_eight_who_ask_at_once_get_one_model_built_once(
    cache: ModelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def count_builds(config: GPTConfig, seed: int) -> GPTModel:
        built.append(seed)
        time.sleep(0.1)
        return build_model(config, seed)

    monkeypatch.setattr(cache_module, "build_model", count_builds)
    models = []
    threads = [
        threading.Thread(target=lambda: models.append(cache.untrained(TINY))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == [123]
    assert len({id(model) for model in models}) == 1


def test_the_least_recently_used_model_goes_when_the_budget_is_spent() -> None:
    size = 4 * count_parameters(build_model(TINY, 1))
    cache = ModelCache(budget_bytes=2 * size)
    one, two = cache.untrained(TINY, 1), cache.untrained(TINY, 2)
    assert cache.untrained(TINY, 1) is one
    cache.untrained(TINY, 3)
    assert cache.untrained(TINY, 1) is one
    assert cache.untrained(TINY, 2) is not two


def test_a_model_larger_than_the_budget_is_given_all_the_same() -> None:
    cache = ModelCache(budget_bytes=1)
    assert cache.untrained(TINY).config == TINY


def test_snapshots_and_checkpoints_of_a_run_stand_in_the_cache(
    cache: ModelCache, tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    runner = TrainingRunner(store)
    run_id = runner.start(LONG, load_text("counting"), actor="local")
    wait_for_steps(store, run_id, 3)
    runner.pause(run_id, actor="local").result(timeout=30)
    snapshot = cache.snapshot(runner, run_id, actor="local")
    step = snapshot.global_step
    assert cache.last_snapshot(store, run_id, step, actor="local") is snapshot.model
    assert cache.last_snapshot(store, run_id, 9999, actor="local") is None
    saved = cache.checkpoint(store, run_id, snapshot.global_step, actor="local")
    runner.close()
    store.close()
    assert saved is cache.checkpoint(store, run_id, snapshot.global_step, actor="local")
    for (name, ours), theirs in zip(
        saved.named_parameters(), snapshot.model.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs), name
    with pytest.raises(ValueError, match="no checkpoint of step 9999"):
        cache.checkpoint(store, run_id, 9999, actor="local")


def test_a_run_is_as_its_seed_drew_it_before_its_first_update(
    cache: ModelCache, runner: TrainingRunner, store: RunStore
) -> None:
    training = replace(TINY_TRAINING, vocabulary="characters", seed=7, learning_rate=1e-9)
    preset = Preset("tiny", "Two layers.", TINY, training)
    run_id = runner.start(preset, load_text("counting"), actor="local")
    assert runner.wait(run_id, 60)
    last = cache.checkpoint(store, run_id, store.checkpoints(run_id)[-1].global_step, actor="local")
    first = cache.initial(store, run_id, actor="local")
    assert first.vocabulary == last.vocabulary != ""
    for name, weights in first.state_dict().items():  # its updates were tiny
        torch.testing.assert_close(weights, last.state_dict()[name], rtol=0, atol=1e-6)


def test_models_in_the_cache_are_laid_out_for_writing(cache: ModelCache) -> None:
    plain, model = build_model(TINY, seed=5), cache.untrained(TINY, seed=5)
    assert model.out_head.weight.stride(0) == 1
    assert model.out_head.weight.is_contiguous() is False
    for name, weight in plain.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight)


def test_the_models_that_are_alive_fit_into_the_budget() -> None:
    """Counted by weak references: an evicted model that anything held would still be there."""
    size = BYTES_PER_PARAMETER * count_config_parameters(TINY)
    cache = ModelCache(budget_bytes=3 * size)
    built = [weakref.ref(cache.untrained(TINY, seed)) for seed in range(8)]
    gc.collect()
    assert [model() is not None for model in built] == [False] * 5 + [True] * 3
    cache.untrained(TINY, 5)  # used last, and so the next one to stay
    cache.untrained(TINY, 8)
    gc.collect()
    assert [built[seed]() is not None for seed in (5, 6, 7)] == [True, False, True]

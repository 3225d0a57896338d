import threading
import time
from pathlib import Path

import pytest
import torch

from gpt_core.config import GPTConfig
from gpt_core.inference import ModelCache
from gpt_core.inference import model_cache as shelf_module
from gpt_core.model import Decoding, GPTModel, build_model, count_parameters, generate
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import load_text
from tests.conftest import TINY
from tests.support.runs import LONG, wait_for_steps

PROMPT = torch.tensor([[6109, 3626]])


@pytest.fixture
def shelf():
    shelf = ModelCache()
    yield shelf
    shelf.close()


def test_eight_who_ask_at_once_get_one_model_built_once(
    shelf: ModelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []

    def count_builds(config: GPTConfig, seed: int) -> GPTModel:
        built.append(seed)
        time.sleep(0.1)
        return build_model(config, seed)

    monkeypatch.setattr(shelf_module, "build_model", count_builds)
    models = []
    threads = [
        threading.Thread(target=lambda: models.append(shelf.untrained(TINY))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == [123]
    assert len({id(model) for model in models}) == 1


def test_the_least_recently_used_model_goes_when_the_budget_is_spent() -> None:
    size = 4 * count_parameters(build_model(TINY, 1))
    shelf = ModelCache(budget_bytes=2 * size)
    one, two = shelf.untrained(TINY, 1), shelf.untrained(TINY, 2)
    assert shelf.untrained(TINY, 1) is one
    shelf.untrained(TINY, 3)
    assert shelf.untrained(TINY, 1) is one
    assert shelf.untrained(TINY, 2) is not two
    shelf.close()


def test_a_model_larger_than_the_budget_is_given_all_the_same() -> None:
    shelf = ModelCache(budget_bytes=1)
    assert shelf.untrained(TINY).config == TINY
    shelf.close()


def test_a_text_is_streamed_and_equals_what_generate_writes(shelf: ModelCache) -> None:
    model = shelf.untrained(TINY)
    writing = shelf.write(model, PROMPT, 20, Decoding(temperature=1.0), seed=5)
    assert writing.ended.wait(timeout=30)
    whole = generate(model, PROMPT, 20, 1.0, generator=torch.Generator().manual_seed(5))
    assert writing.error is None
    assert PROMPT[0].tolist() + writing.new_ids == whole[0].tolist()


def test_stop_ends_a_text_and_the_next_one_is_written(shelf: ModelCache) -> None:
    model = shelf.untrained(TINY)
    long, next_one = shelf.write(model, PROMPT, 100_000), shelf.write(model, PROMPT, 3)
    while not long.new_ids:
        time.sleep(0.01)
    long.stop()
    assert next_one.ended.wait(timeout=30)
    assert long.ended.is_set()
    assert len(long.new_ids) < 100_000
    assert len(next_one.new_ids) == 3


def test_what_goes_wrong_comes_back_as_the_texts_error(shelf: ModelCache) -> None:
    writing = shelf.write(shelf.untrained(TINY), torch.zeros(1, 0, dtype=torch.int64), 3)
    assert writing.ended.wait(timeout=30)
    assert isinstance(writing.error, ValueError)
    after = shelf.write(shelf.untrained(TINY), PROMPT, 3)
    assert after.ended.wait(timeout=30)
    assert len(after.new_ids) == 3


def test_snapshots_and_checkpoints_of_a_run_stand_on_the_shelf(
    shelf: ModelCache, tmp_path: Path
) -> None:
    store = RunStore(tmp_path)
    runner = TrainingRunner(store)
    run_id = runner.start(LONG, load_text("counting"))
    wait_for_steps(store, run_id, 3)
    runner.pause(run_id).result(timeout=30)
    snapshot = shelf.snapshot(runner, run_id)
    assert shelf.recall(run_id, snapshot.global_step) is snapshot.model
    assert shelf.recall(run_id, 9999) is None
    saved = shelf.checkpoint(store, run_id, snapshot.global_step)
    runner.close()
    store.close()
    assert saved is shelf.checkpoint(store, run_id, snapshot.global_step)
    for (name, ours), theirs in zip(
        saved.named_parameters(), snapshot.model.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs), name
    with pytest.raises(ValueError, match="no checkpoint of step 9999"):
        shelf.checkpoint(store, run_id, 9999)


def test_reading_draws_nothing_from_the_global_generator(shelf: ModelCache) -> None:
    state = torch.get_rng_state()
    writing = shelf.write(shelf.untrained(TINY), PROMPT, 5, Decoding(temperature=1.0))
    writing.ended.wait(timeout=30)
    assert torch.equal(torch.get_rng_state(), state)


def test_models_on_the_shelf_are_laid_out_for_writing(shelf: ModelCache) -> None:
    plain, model = build_model(TINY, seed=5), shelf.untrained(TINY, seed=5)
    assert model.out_head.weight.stride(0) == 1
    assert model.out_head.weight.is_contiguous() is False
    for name, weight in plain.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight)

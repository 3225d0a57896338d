from pathlib import Path

import pytest
import torch

from gpt_core.runner import TrainingRunner, find_largest_batch, largest_batch
from gpt_core.store import RunStore
from tests.conftest import TINY, TINY_TRAINING


@pytest.mark.parametrize("room", [0, 1, 2, 3, 7, 8, 37, 64, 99, 100])
def test_the_largest_batch_is_found_by_doubling_and_halving(room: int) -> None:
    tried = []

    def try_batch(size: int) -> None:
        tried.append(size)
        if size > room:
            raise torch.OutOfMemoryError(f"CUDA out of memory: {size} rows")

    assert largest_batch(try_batch, at_most=100) == room
    assert len(tried) == len(set(tried)) <= 14
    assert max(tried) <= 100


def test_a_text_of_few_windows_is_the_limit_where_memory_is_not() -> None:
    assert largest_batch(lambda size: None, at_most=5) == 5


def test_another_error_than_memory_is_not_taken_for_it() -> None:
    def try_batch(size: int) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        largest_batch(try_batch)


def test_it_is_found_with_real_steps_in_the_training_thread(tmp_path: Path) -> None:
    runner = TrainingRunner(RunStore(tmp_path))
    assert find_largest_batch(runner, TINY, TINY_TRAINING, at_most=6).result(timeout=60) == 6
    runner.close()

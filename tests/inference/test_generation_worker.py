"""The worker that generates texts: what it writes, in which order, and how it is stopped."""

import time
from collections.abc import Iterator

import pytest
import torch

from gpt_core.inference import GenerationWorker, ModelCache
from gpt_core.model import Decoding, generate
from tests.conftest import TINY

PROMPT = torch.tensor([[6109, 3626]])


@pytest.fixture
def worker() -> Iterator[GenerationWorker]:
    worker = GenerationWorker()
    yield worker
    worker.close()


def test_a_text_is_streamed_and_equals_what_generate_writes(worker: GenerationWorker) -> None:
    model = ModelCache().untrained(TINY)
    job = worker.submit(model, PROMPT, 20, Decoding(temperature=1.0), seed=5)
    assert job.ended.wait(timeout=30)
    whole = generate(model, PROMPT, 20, 1.0, generator=torch.Generator().manual_seed(5))
    assert job.error is None
    assert PROMPT[0].tolist() + job.new_ids == whole[0].tolist()


def test_stop_ends_a_text_and_the_next_one_is_written(worker: GenerationWorker) -> None:
    model = ModelCache().untrained(TINY)
    long, next_one = worker.submit(model, PROMPT, 100_000), worker.submit(model, PROMPT, 3)
    while not long.new_ids:
        time.sleep(0.01)
    long.stop()
    assert next_one.ended.wait(timeout=30)
    assert long.ended.is_set()
    assert len(long.new_ids) < 100_000
    assert len(next_one.new_ids) == 3


def test_what_goes_wrong_comes_back_as_the_texts_error(worker: GenerationWorker) -> None:
    job = worker.submit(ModelCache().untrained(TINY), torch.zeros(1, 0, dtype=torch.int64), 3)
    assert job.ended.wait(timeout=30)
    assert isinstance(job.error, ValueError)
    after = worker.submit(ModelCache().untrained(TINY), PROMPT, 3)
    assert after.ended.wait(timeout=30)
    assert len(after.new_ids) == 3


def test_reading_draws_nothing_from_the_global_generator(worker: GenerationWorker) -> None:
    state = torch.get_rng_state()
    job = worker.submit(ModelCache().untrained(TINY), PROMPT, 5, Decoding(temperature=1.0))
    job.ended.wait(timeout=30)
    assert torch.equal(torch.get_rng_state(), state)

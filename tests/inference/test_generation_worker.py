"""The worker that generates texts: what it writes, in which order, and how it is stopped."""

import gc
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator

import pytest
import torch

from gpt_core.access import NOBODY, PermissionDenied
from gpt_core.inference import GenerationWorker, ModelCache
from gpt_core.inference.generation_worker import MAX_TEXTS, TURN_TOKENS
from gpt_core.model import Decoding, GPTModel, build_model, generate
from tests.conftest import TINY

PROMPT = torch.tensor([[6109, 3626]])


@pytest.fixture
def worker() -> Iterator[GenerationWorker]:
    worker = GenerationWorker()
    yield worker
    worker.close()


def test_a_text_is_streamed_and_equals_what_generate_writes(worker: GenerationWorker) -> None:
    model = ModelCache().untrained(TINY)
    job = worker.submit(model, PROMPT, 20, Decoding(temperature=1.0), seed=5, owner="ann")
    assert job.ended.wait(timeout=30)
    whole = generate(model, PROMPT, 20, 1.0, generator=torch.Generator().manual_seed(5))
    assert job.error is None
    assert PROMPT[0].tolist() + job.new_ids == whole[0].tolist()


def test_stop_ends_a_text_and_the_next_one_is_written(worker: GenerationWorker) -> None:
    model = ModelCache().untrained(TINY)
    long, next_one = (
        worker.submit(model, PROMPT, 100_000, owner="ann"),
        worker.submit(model, PROMPT, 3, owner="ann"),
    )
    while not long.new_ids:
        time.sleep(0.01)
    long.stop()
    assert next_one.ended.wait(timeout=30)
    assert long.ended.is_set()
    assert len(long.new_ids) < 100_000
    assert len(next_one.new_ids) == 3


def test_what_goes_wrong_comes_back_as_the_texts_error(worker: GenerationWorker) -> None:
    job = worker.submit(
        ModelCache().untrained(TINY), torch.zeros(1, 0, dtype=torch.int64), 3, owner="ann"
    )
    assert job.ended.wait(timeout=30)
    assert isinstance(job.error, ValueError)
    after = worker.submit(ModelCache().untrained(TINY), PROMPT, 3, owner="ann")
    assert after.ended.wait(timeout=30)
    assert len(after.new_ids) == 3


def test_reading_draws_nothing_from_the_global_generator(worker: GenerationWorker) -> None:
    state = torch.get_rng_state()
    job = worker.submit(
        ModelCache().untrained(TINY), PROMPT, 5, Decoding(temperature=1.0), owner="ann"
    )
    job.ended.wait(timeout=30)
    assert torch.equal(torch.get_rng_state(), state)


def test_many_texts_of_one_student_make_another_wait_for_one_turn_of_theirs(
    worker: GenerationWorker,
) -> None:
    model = ModelCache().untrained(TINY)
    gate = threading.Event()

    def wait_at_the_gate() -> GPTModel:  # so that all are there before the first token
        assert gate.wait(30)
        return model

    greedy = [worker.submit(wait_at_the_gate, PROMPT, 5_000, owner="ann")]
    greedy += [worker.submit(model, PROMPT, 5_000, owner="ann") for _ in range(MAX_TEXTS - 1)]
    with pytest.raises(ValueError, match="You have 24 texts being written"):
        worker.submit(model, PROMPT, 3, owner="ann")
    other = worker.submit(model, PROMPT, 3 * TURN_TOKENS, owner="ben")
    gate.set()
    assert other.ended.wait(timeout=60)
    assert len(other.new_ids) == 3 * TURN_TOKENS
    first, *later = (len(job.new_ids) for job in greedy)
    assert first < 5_000
    assert set(later) == {0}
    for job in greedy:
        job.stop()
    assert all(job.ended.wait(timeout=60) for job in greedy)


def test_texts_that_take_turns_are_what_each_would_be_alone(worker: GenerationWorker) -> None:
    model, sampling = ModelCache().untrained(TINY), Decoding(temperature=1.0)
    jobs = [worker.submit(model, PROMPT, 30, sampling, seed=s, owner=f"s-{s}") for s in range(3)]
    for seed, job in enumerate(jobs):
        assert job.ended.wait(timeout=60)
        drawn = generate(model, PROMPT, 30, 1.0, generator=torch.Generator().manual_seed(seed))
        assert PROMPT[0].tolist() + job.new_ids == drawn[0].tolist()


def test_who_is_not_in_the_class_gets_no_text(worker: GenerationWorker) -> None:
    with pytest.raises(PermissionDenied):
        worker.submit(ModelCache().untrained(TINY), PROMPT, 3, owner=NOBODY)


def test_a_worker_that_waits_holds_no_model(worker: GenerationWorker) -> None:
    model = build_model(TINY, 1)
    assert worker.submit(model, PROMPT, 3, owner="ann").ended.wait(timeout=30)
    assert worker.submit(build_model(TINY, 2), PROMPT, 3, owner="ann").ended.wait(timeout=30)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_a_worker_that_is_closed_ends_what_waits() -> None:
    worker, model = GenerationWorker(), ModelCache().untrained(TINY)
    jobs = [worker.submit(model, PROMPT, 100_000, owner=owner) for owner in ("ann", "ann", "ben")]
    worker.close()
    assert all(job.ended.is_set() for job in jobs)
    with pytest.raises(ValueError, match="closing"):
        worker.submit(model, PROMPT, 3, owner="ann")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_in_a_class_texts_are_written_after_what_trains() -> None:
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    worker = GenerationWorker(niceness=5)
    seen: list[int] = []

    def model() -> GPTModel:
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return ModelCache().untrained(TINY)

    try:
        job = worker.submit(model, torch.tensor([[1, 2]]), 3, owner="local")
        assert job.ended.wait(30)
    finally:
        worker.close()
    assert seen == [min(19, before + 5)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before

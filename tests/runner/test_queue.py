"""The queue of runs, and the queue of requests."""

import random
import shutil
import threading
import time
from dataclasses import replace

import pytest

from gpt_core.runner import TrainingRunner
from gpt_core.runner.queue import request_queue as requests_module
from gpt_core.store import RunStore
from gpt_core.text import Corpus
from tests.support.runs import LONG, PRESET, SIX_EPOCHS, everything, states, wait_for_steps


@pytest.mark.slow
def test_runs_wait_in_a_queue_and_go_one_after_the_other(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    first = runner.start(LONG, corpus, actor="ada")
    second = runner.start(PRESET, corpus, actor="bob")
    wait_for_steps(store, first, 3)
    assert states(store, second) == ["queued"]
    runner.stop(first, actor="local").result(timeout=30)
    runner.wait(second, timeout=60)
    assert states(store, second) == ["queued", "running", "finished"]


def test_a_request_that_fails_answers_with_its_exception_and_the_run_goes_on(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    # It saves nothing of its own accord after its first evaluation.
    config = replace(LONG.training, eval_freq=10_000, keep_epochs=0)
    run_id = runner.start(LONG, corpus, config, actor="local")
    wait_for_steps(store, run_id, 2)
    folder = store.runs_dir / "checkpoints" / run_id
    shutil.rmtree(folder)
    folder.write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        runner.checkpoint(run_id, actor="local").result(timeout=30)
    assert runner.pending(run_id) is None
    assert runner.last_error(run_id).startswith("Saving failed.")
    folder.unlink()
    count = len(store.steps(run_id))
    wait_for_steps(store, run_id, count + 3)
    assert runner.checkpoint(run_id, actor="local").result(timeout=30) >= count - 1
    assert runner.last_error(run_id) == ""


def test_a_request_past_its_deadline_answers_with_a_timeout(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 1)
    monkeypatch.setattr(requests_module, "DEADLINE_SECONDS", -1.0)
    with pytest.raises(TimeoutError, match="in time"):
        runner.pause(run_id, actor="local").result(timeout=30)
    assert states(store, run_id)[-1] == "running"


def test_closing_fails_what_is_still_asked_for(store: RunStore, corpus: Corpus) -> None:
    runner = TrainingRunner(store)
    run_id = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 1)
    futures = []

    def keep_asking() -> None:
        try:
            while True:
                futures.append(runner.snapshot(run_id, actor="local"))
        except ValueError:
            pass  # the app is closing

    asker = threading.Thread(target=keep_asking)
    asker.start()
    deadline = time.monotonic() + 30
    while not futures and time.monotonic() < deadline:
        time.sleep(0.001)
    runner.close()
    asker.join()
    outcomes = {type(future.exception(timeout=30)) for future in futures}
    assert outcomes <= {type(None), RuntimeError, ValueError}
    assert futures


@pytest.mark.slow
def test_two_hundred_random_requests_from_eight_threads_lose_no_answer_and_change_no_loss(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, left_alone: dict[str, list]
) -> None:
    run_id = runner.start(SIX_EPOCHS, corpus, actor="local")
    answers: list[object] = []

    def ask(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(25):
            what = draw.choice(["pause", "resume", "checkpoint", "snapshot", "resume"])
            try:
                answers.append(getattr(runner, what)(run_id, actor="local").result(timeout=60))
            except ValueError as error:  # the run has ended meanwhile
                answers.append(error)
            time.sleep(draw.random() / 50)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(answers) == 200
    assert sum(not isinstance(answer, ValueError) for answer in answers) > 20
    if runner.owns(run_id):
        runner.resume(run_id, actor="local").result(timeout=30)
    assert runner.wait(run_id, timeout=120)
    assert states(store, run_id)[-1] == "finished"
    assert everything(store, run_id) == left_alone

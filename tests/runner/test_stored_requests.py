"""Requests between processes: to a run that another one trains, through the store."""

import logging
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from gpt_core.access import PermissionDenied
from gpt_core.inference import ModelCache
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunState, RunStore
from gpt_core.text import Corpus
from tests.support.runs import LONG, PRESET, states, wait_for_steps
from tests.support.terminal import terminal_run, wait_for


@pytest.fixture
def theirs(store: RunStore) -> Iterator[TrainingRunner]:
    """A runner with a store and locks of its own, as another process has."""
    with closing(RunStore(store.runs_dir)) as other:
        runner = TrainingRunner(other)
        yield runner
        runner.close()


def test_a_run_of_another_runner_is_paused_stepped_saved_resumed_and_stopped(
    runner: TrainingRunner, theirs: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = theirs.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 3)
    assert not runner.owns(run_id)
    runner.pause(run_id, actor="local").result(30)
    assert theirs.is_paused(run_id)
    paused_at = len(store.steps(run_id))
    runner.step(run_id, actor="local").result(30)
    assert len(store.steps(run_id)) == paused_at + 1
    assert [update.global_step for update in store.updates(run_id)] == [paused_at]
    assert runner.checkpoint(run_id, actor="local").result(30) == paused_at
    runner.resume(run_id, actor="local").result(30)
    wait_for_steps(store, run_id, paused_at + 3)
    runner.stop(run_id, actor="local").result(30)
    assert states(store, run_id)[-1] == "stopped"
    assert not theirs.owns(run_id)
    assert store.open_requests() == []


def test_losses_are_the_same_whether_or_not_another_process_asks(
    runner: TrainingRunner, theirs: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    alone = theirs.start(PRESET, corpus, actor="local")
    assert theirs.wait(alone, timeout=60)
    asked = theirs.start(PRESET, corpus, actor="local")
    wait_for_steps(store, asked, 2)
    if theirs.owns(asked):
        runner.pause(asked, actor="local").result(30)
        runner.step(asked, actor="local").result(30)
        runner.resume(asked, actor="local").result(30)
    assert theirs.wait(asked, timeout=60)
    assert [row.loss for row in store.steps(alone)] == [row.loss for row in store.steps(asked)]


def test_a_refusal_of_the_other_process_is_the_answer(
    runner: TrainingRunner, theirs: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = theirs.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 3)
    with pytest.raises(ValueError, match="Only a paused run can do a single step"):
        runner.step(run_id, actor="local").result(30)
    last = store.last_request(run_id)
    assert last is not None
    assert "Only a paused run" in last.error


def test_a_student_cannot_command_a_run_of_another_process(
    runner: TrainingRunner, theirs: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = theirs.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 3)
    for ask in (runner.pause, runner.resume, runner.stop, runner.step, runner.checkpoint):
        with pytest.raises(ValueError, match=r"not yours|trains"):
            ask(run_id, actor="ben")
    with pytest.raises(PermissionDenied, match="not yours"):
        ModelCache().snapshot(runner, run_id, actor="ben")
    assert store.last_request(run_id) is None
    # The process that trains checks again: a row in the store is no permission.
    asked = store.ask(run_id, "stop", "ben")
    deadline = time.monotonic() + 30
    while (request := store.request(asked)) is not None and request.is_open:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert request is not None
    assert "not yours" in request.error
    assert theirs.owns(run_id)


def test_a_run_that_ends_meanwhile_leaves_no_request_waiting(
    runner: TrainingRunner, theirs: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = theirs.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 3)
    stopped, saved = (ask(run_id, actor="local") for ask in (runner.stop, runner.checkpoint))
    stopped.result(30)
    with pytest.raises(ValueError, match=r"ended meanwhile|not live|ended before"):
        saved.result(30)


def test_what_an_earlier_process_was_asked_is_not_done_by_the_next(
    runner: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 3)
    runner.stop(run_id, actor="local").result(30)
    asked = store.ask(run_id, "stop", "local")  # a moment too late
    runner.resume(run_id, actor="local").result(30)
    request = store.request(asked)
    assert request is not None
    assert request.error == "The run ended before this was done."
    wait_for_steps(store, run_id, len(store.steps(run_id)) + 3)
    assert runner.owns(run_id)


def test_an_answer_that_cannot_be_written_is_written_later(
    runner: TrainingRunner,
    theirs: TrainingRunner,
    store: RunStore,
    corpus: Corpus,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run_id = theirs.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 3)
    answer, failures = theirs.store.answer, []

    def fail_twice(request_id: int, error: str = "") -> None:
        if len(failures) < 2:
            failures.append(request_id)
            raise sqlite3.OperationalError("database or disk is full")
        answer(request_id, error)

    monkeypatch.setattr(theirs.store, "answer", fail_twice)
    with caplog.at_level(logging.WARNING):
        runner.pause(run_id, actor="local").result(30)
    assert len(failures) == 2
    assert "could not be read or answered" in caplog.text
    assert states(store, run_id).count("paused") == 1  # it was not served again


def test_a_copy_of_a_run_of_another_process_is_its_checkpoint(
    runner: TrainingRunner, theirs: TrainingRunner, store: RunStore, corpus: Corpus
) -> None:
    run_id = theirs.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 3)
    cache = ModelCache()
    snapshot = cache.snapshot(runner, run_id, actor="local")
    assert snapshot.global_step >= 2
    assert not snapshot.model.training
    kept = cache.last_snapshot(store, run_id, snapshot.global_step, actor="local")
    assert kept is snapshot.model


def test_a_closed_runner_sends_nothing(store: RunStore, theirs: TrainingRunner, corpus: Corpus):
    run_id = theirs.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 3)
    closed = TrainingRunner(store)
    closed.close()
    with pytest.raises(ValueError, match="closing"):
        closed.pause(run_id, actor="local")
    assert store.open_requests() == []


@pytest.mark.slow
def test_a_terminals_run_is_paused_resumed_and_stopped_from_here(
    runner: TrainingRunner, store: RunStore
) -> None:
    with terminal_run(store) as process:
        runner.pause("theirs", actor="local").result(60)
        count = len(store.steps("theirs"))
        time.sleep(0.5)
        assert len(store.steps("theirs")) == count
        runner.resume("theirs", actor="local").result(60)
        wait_for_steps(store, "theirs", count + 3)
        runner.stop("theirs", actor="local").result(60)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"Paused from the app after {count} steps: it waits" in out
    assert "Resumed from the app." in out
    assert "Stopped from the app. Resume it with: python -m gpt_core resume theirs" in err
    assert "Traceback" not in out + err
    transitions = store.transitions("theirs")
    assert [row.state for row in transitions if row.state in ("paused", "stopped")] == [
        RunState.PAUSED,
        RunState.STOPPED,
    ]
    assert store.checkpoints("theirs")


@pytest.mark.slow
def test_ctrl_c_ends_a_terminals_paused_run_and_it_can_be_resumed(
    runner: TrainingRunner, store: RunStore
) -> None:
    with terminal_run(store) as process:
        runner.pause("theirs", actor="local").result(60)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted. Resume it with" in err
    count = len(store.steps("theirs"))
    assert states(store, "theirs")[-1] == "interrupted"
    runner.resume("theirs", actor="local").result(60)
    wait_for_steps(store, "theirs", count + 3)
    steps = [row.global_step for row in store.steps("theirs")]
    assert steps == list(range(len(steps)))


@pytest.mark.slow
def test_a_request_to_a_process_that_is_killed_does_not_wait_for_ever(
    runner: TrainingRunner, store: RunStore
) -> None:
    with terminal_run(store) as process:
        os.kill(process.pid, signal.SIGSTOP)  # it answers nothing any more
        asked = runner.pause("theirs", actor="local")
        time.sleep(1)
        assert not asked.done()
        process.kill()
        with pytest.raises(ValueError, match="The process that trained it is gone"):
            asked.result(30)
    wait_for(store, "theirs", "interrupted")
    assert store.open_requests() == []

"""What goes wrong ends a run in words, never the thread."""

import errno
import logging
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import torch

from gpt_core.analysis import CachedStore
from gpt_core.model import calc_loss_batch, compilation
from gpt_core.runner import TrainingRunner
from gpt_core.runner import session as session_module
from gpt_core.store import RunStore, mark_interrupted_runs
from gpt_core.system import describe_error
from gpt_core.text import Corpus, load_text
from tests.support.runs import LONG, PRESET, SIX_EPOCHS, states, wait_for_steps


@pytest.mark.slow
def test_a_run_that_fails_says_why_and_the_next_one_trains(
    runner: TrainingRunner,
    store: RunStore,
    corpus: Corpus,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("the optimizer is broken")

    caplog.set_level(logging.CRITICAL + 1)
    with monkeypatch.context() as patch:
        patch.setattr(session_module, "create_optimizer", fail)
        run_id = runner.start(PRESET, corpus, actor="local")
        runner.wait(run_id, timeout=60)
    run = store.run(run_id)
    assert run is not None
    assert (run.state, run.message) == ("failed", "the optimizer is broken")
    again = runner.start(PRESET, corpus, actor="local")
    runner.wait(again, timeout=60)
    assert states(store, again)[-1] == "finished"


def test_a_diverging_run_fails_in_words_and_its_last_checkpoint_stays_good(
    runner: TrainingRunner,
    store: RunStore,
    corpus: Corpus,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL + 1)
    run_id = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 3)
    runner.pause(run_id, actor="local").result(timeout=30)
    step = store.checkpoints(run_id)[-1].global_step
    with monkeypatch.context() as patch:
        patch.setattr(
            compilation, "calc_loss_batch", lambda *args: calc_loss_batch(*args) * torch.nan
        )
        runner.resume(run_id, actor="local").result(timeout=30)
        runner.wait(run_id, timeout=30)
    run = store.run(run_id)
    assert run is not None
    assert run.state == "failed"
    assert f"Step {step + 1}: the loss is nan" in run.message
    assert len(store.steps(run_id)) == step + 1
    runner.resume(run_id, actor="local")
    wait_for_steps(store, run_id, step + 4)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "The memory is full: close other programs"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "The memory is full"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "The disk is full: free some space",
        ),
        (RuntimeError("[enforce fail] not enough memory: you tried"), "The memory is full"),
        (RuntimeError("something else"), "something else"),
        (sqlite3.OperationalError("unable to open"), "The runs directory could not be read"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/a/place"),
            "The machine reports an error (Perm",
        ),
    ],
)
def test_what_ended_a_run_is_said_in_words(error: Exception, words: str) -> None:
    assert describe_error(error).startswith(words)


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="mounts a tiny disk")
@pytest.mark.slow
def test_a_full_disk_fails_the_run_in_words_and_the_next_run_trains(
    tmp_path: Path, corpus: Corpus, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL + 1)
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        store = RunStore(disk)
        runner = TrainingRunner(store)
        run_id = runner.start(
            SIX_EPOCHS, corpus, actor="local"
        )  # its weights alone take 6 MB each time
        assert runner.wait(run_id, timeout=60)
        run = store.run(run_id)
        assert run is not None
        assert run.state == "failed"
        assert run.message.startswith("The disk is full: free some space")
        assert not list(disk.rglob("*.part"))
        steps = [row.global_step for row in store.steps(run_id)]
        assert steps == list(range(len(steps)))

        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        runner.resume(run_id, actor="local")
        runner.wait(run_id, timeout=60)
        assert states(store, run_id)[-1] == "finished"
        runner.close()
        store.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_an_end_that_cannot_be_written_holds_here_until_it_can(
    runner: TrainingRunner, store: RunStore, corpus: Corpus, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL + 1)
    cached_store = CachedStore(store)
    run_id = runner.start(LONG, corpus, actor="local")
    wait_for_steps(store, run_id, 3)
    assert [run.id for run in cached_store.live_runs()] == [run_id]
    store._database._writer.execute("PRAGMA query_only = ON")  # as on a disk that is only read
    assert runner.wait(run_id, timeout=60)
    run = cached_store.run(run_id)
    assert run is not None
    assert run.state == "failed"
    assert "could not be read or written" in run.message
    assert cached_store.live_runs() == []
    with closing(RunStore(store.runs_dir)) as another:
        assert another.live_runs() != []  # nothing was written
    mark_interrupted_runs(store)  # tries in vain

    store._database._writer.execute("PRAGMA query_only = OFF")
    mark_interrupted_runs(store)
    assert store.final_state(run_id) is None
    with closing(RunStore(store.runs_dir)) as another:
        [written] = another.runs()
        assert (written.state, written.message) == (run.state, run.message)
    runner.resume(run_id, actor="local")
    wait_for_steps(store, run_id, 6)


def _train_until_killed(runs_dir: Path) -> None:
    runner = TrainingRunner(RunStore(runs_dir))
    runner.wait(runner.start(LONG, load_text("counting"), actor="local"))


@pytest.mark.slow
def test_a_run_whose_process_was_killed_is_interrupted_but_a_living_one_is_not(
    store: RunStore,
) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=_train_until_killed, args=(store.runs_dir,)
    )
    process.start()
    deadline = time.monotonic() + 60
    while not store.live_runs() and time.monotonic() < deadline:
        time.sleep(0.05)
    run_id = store.live_runs()[0].id
    wait_for_steps(store, run_id, 2)

    beside = TrainingRunner(store)  # opens while the other process trains
    beside.close()
    assert [run.id for run in store.live_runs()] == [run_id]

    process.kill()
    process.join()
    after = TrainingRunner(store)
    after.close()
    run = store.run(run_id)
    assert run is not None
    assert (run.state, run.message) == ("interrupted", "The process that trained it is gone.")
    steps = [row.global_step for row in store.steps(run_id)]
    assert steps == list(range(len(steps)))

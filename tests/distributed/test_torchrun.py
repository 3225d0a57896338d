"""torchrun trains, is resumed by other numbers of processes, and loses or ends some of them."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from gpt_core.store import Run, RunStore
from tests.distributed.torchrun import begin, finish, torchrun
from tests.support.runs import everything, losses

pytestmark = pytest.mark.slow

# An update of 2 processes x 3 batches takes some milliseconds; the evaluations are the breaks.
SMALL = (
    *("--text", "counting", "--vocabulary", "characters", "--precision", "float32"),
    *("--context-length", "32", "--emb-dim", "16", "--n-heads", "2", "--n-layers", "2"),
    *("--learning-rate", "5e-3", "--eval-freq", "5", "--sample-tokens", "5"),
)


def train(runs_dir: Path, name: str, *options: str) -> tuple[str, ...]:
    return ("gpt_core", "train", *SMALL, "--runs-dir", str(runs_dir), "--run-id", name, *options)


def resume(runs_dir: Path, name: str, *options: str) -> tuple[str, ...]:
    return ("gpt_core", "resume", name, "--runs-dir", str(runs_dir), *options)


def the_run(runs_dir: Path, name: str) -> tuple[Run, dict[str, list]]:
    with closing(RunStore(runs_dir)) as store:
        run = store.run(name)
        assert run is not None
        return run, everything(store, name)


def wait_for_step(runs_dir: Path, name: str, step: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    with closing(RunStore(runs_dir)) as store:
        while True:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the run does not advance"
            if any(last.global_step >= step for last in store.last_steps(name, 1)):
                return
            time.sleep(0.05)


def ranks(process: subprocess.Popen[str]) -> Iterator[tuple[int, psutil.Process]]:
    for child in psutil.Process(process.pid).children():
        if "gpt_core" in child.cmdline():
            yield int(child.environ()["RANK"]), child


def rank(number: int, process: subprocess.Popen[str]) -> psutil.Process:
    return dict(ranks(process))[number]


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """All records of a run with dropout that two processes train from beginning to end."""
    runs_dir = tmp_path_factory.mktemp("alone")
    out, err = finish(begin(torchrun(2, *train(runs_dir, "alone", "--epochs", "12"))))
    assert "2 processes: an update averages 2 batches" in out
    assert out.count("Finished after") == 1
    assert "Rank" not in err
    run, records = the_run(runs_dir, "alone")
    assert run.versions["processes"] == "2"
    assert run.versions["devices"] == "2 × cpu"
    assert run.versions["hosts"]
    assert run.training_config.accumulation_steps == 2
    return records


def test_a_terminated_run_is_saved_and_goes_on_exactly(
    tmp_path: Path, left_alone: dict[str, list]
) -> None:
    process = begin(torchrun(2, *train(tmp_path, "mine", "--epochs", "12")))
    wait_for_step(tmp_path, "mine", 20, process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=400)
    assert "torchrun --nproc-per-node=2 -m gpt_core resume mine" in err
    run, records = the_run(tmp_path, "mine")
    assert run.state == "interrupted"
    with closing(RunStore(tmp_path)) as store:
        whole = [c.global_step for c in store.checkpoints("mine") if c.kind == "whole"]
    assert whole == [records["steps"][-1]["global_step"]]
    finish(begin(torchrun(2, *resume(tmp_path, "mine"))))
    run, records = the_run(tmp_path, "mine")
    assert (run.state, run.message) == ("finished", "")
    assert records == left_alone


@pytest.mark.parametrize("victim", [0, pytest.param(1, marks=pytest.mark.whole_run)])
def test_after_a_killed_rank_torchrun_goes_on_from_the_last_checkpoint(
    victim: int, tmp_path: Path, left_alone: dict[str, list]
) -> None:
    command = torchrun(
        2, *train(tmp_path, "mine", "--epochs", "12"), options=("--max-restarts", "1")
    )
    process = begin(command)
    wait_for_step(tmp_path, "mine", 20, process)
    rank(victim, process).kill()
    out, _ = finish(process)
    assert "torchrun has started this again: run mine was" in out
    run, records = the_run(tmp_path, "mine")
    assert (run.state, run.message) == ("finished", "")
    assert records == left_alone


def test_a_rank_that_hangs_ends_the_run_with_a_sentence(tmp_path: Path) -> None:
    options = ("--epochs", "500", "--rank-timeout", "10")
    process = begin(torchrun(2, *train(tmp_path, "mine", *options)))
    wait_for_step(tmp_path, "mine", 5, process)
    hanging = rank(1, process)
    hanging.suspend()
    with closing(RunStore(tmp_path)) as store:
        deadline = time.monotonic() + 200
        while store.run("mine").state != "failed":  # type: ignore[union-attr]
            assert time.monotonic() < deadline
            time.sleep(0.1)
    hanging.kill()
    _, err = process.communicate(timeout=400)
    assert process.returncode == 1
    assert "Another of the 2 processes of the run did not answer for 10 seconds" in err
    run, _ = the_run(tmp_path, "mine")
    assert run.message.startswith("Another of the 2 processes of the run did not answer")


@pytest.mark.whole_run
def test_a_run_can_be_paused_for_long_and_asked_as_any_other(tmp_path: Path) -> None:
    finish(begin(torchrun(2, "tests.distributed.commanded", str(tmp_path))))
    run, records = the_run(tmp_path, "it")
    assert (run.state, run.message) == ("finished", "")
    assert len(records["steps"]) == run.total_steps
    with closing(RunStore(tmp_path)) as store:
        [update] = store.updates("it")
    assert update.loss_after < update.loss_before


def test_a_run_goes_on_with_another_number_of_processes(tmp_path: Path) -> None:
    """Two processes begin, one goes on, three end it: the losses of one alone."""
    options = ("--epochs", "6", "--drop-rate", "0", "--accumulation-steps")
    process = begin(torchrun(2, *train(tmp_path, "mine", *options, "3", "--shard-optimizer")))
    wait_for_step(tmp_path, "mine", 10, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=400)
    command = ("python", "-m", *resume(tmp_path, "mine"))
    process = begin(list(command))
    wait_for_step(tmp_path, "mine", 25, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=400)
    finish(begin(torchrun(3, *resume(tmp_path, "mine"))))
    finish(begin(["python", "-m", *train(tmp_path, "alone", *options, "6")]))
    run, _ = the_run(tmp_path, "mine")
    with closing(RunStore(tmp_path)) as store:
        assert losses(store, "mine") == pytest.approx(losses(store, "alone"), rel=0, abs=1e-4)
        assert len(losses(store, "mine")) == run.total_steps
        messages = " ".join(row.message for row in store.transitions("mine"))
    assert "Resumed with 1 process instead of 2: an update averages the same 6" in messages
    assert "Resumed with 3 processes instead of 1: an update averages the same 6" in messages
    assert run.state == "finished"

"""The terminal, as a person uses it: a process, what it prints, and its exit code."""

import csv
import re
import signal
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gpt_core.cli import main
from gpt_core.model import build_model
from gpt_core.store import RunStore
from tests.conftest import TINY
from tests.support.terminal import start_terminal as start


@pytest.mark.slow
def test_train_prints_the_books_log_lines_the_samples_and_the_last_losses(tmp_path: Path) -> None:
    process = start(
        "train", "--text", "counting", "--epochs", "1", "--runs-dir", str(tmp_path / "runs")
    )
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    lines = out.splitlines()
    assert lines[0].startswith("Checkpoints will take up to 0.5 GB")
    assert re.fullmatch(r"Run pocket-\w+: pocket on Counting .*", lines[1])
    assert re.match(r"Ep 1 \(Step 000000\): Train loss 10\.\d{3}, Val loss 10\.\d{3}", lines[3])
    assert lines[-2].startswith("Count from one:")
    assert re.fullmatch(
        r"Finished after 9 steps\. At step 000000: train loss \d+\.\d{3}, val loss \d+\.\d{3}"
        r" · validation \d\.\d{3} bits per byte, \d+\.\d% of tokens right",
        lines[-1],
    )
    assert "tokens/s" in err
    assert "step" in err


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_cleanly_and_says_how_to_go_on(
    ending: signal.Signals, tmp_path: Path
) -> None:
    process = start("train", "--runs-dir", str(tmp_path))
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Ep 1"):
            break
    process.send_signal(ending)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    with closing(RunStore(tmp_path)) as store:
        run = store.latest_run()
        assert run is not None
        assert run.state == "interrupted"
        assert f"python -m gpt_core resume {run.id}" in err
        assert store.evaluations(run.id)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "nowhere.txt"], "there is no such file"),
        (["--text", "counting", "--preset", "book-124m"], "Choose context_length=126 or less"),
        (["--epochs", "0"], "num_epochs=0 is too small"),
    ],
)
def test_bad_input_is_refused_with_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--runs-dir", str(tmp_path), *arguments]) == 2
    assert message in capsys.readouterr().err
    with closing(RunStore(tmp_path)) as store:
        assert store.runs() == []


def test_heads_that_no_file_states_are_assumed_aloud_or_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, emb_dim in (("wide", 64), ("narrow", 16)):
        model = build_model(replace(TINY, emb_dim=emb_dim, n_heads=1), seed=1)
        torch.save(model.state_dict(), tmp_path / f"{name}.pth")
    command = ["train", "--text", "counting", "--epochs", "1", "--runs-dir", str(tmp_path / "runs")]
    assert main([*command, "--weights", str(tmp_path / "narrow.pth")]) == 2
    assert "its width of 16 does not imply it: give n_heads" in capsys.readouterr().err
    assert main([*command, "--weights", str(tmp_path / "wide.pth")]) == 0
    assert "wide.pth: n_heads=1 is assumed, a head for each 64" in capsys.readouterr().out
    assert main([*command, "--weights", str(tmp_path / "narrow.pth"), "--n-heads", "4"]) == 0
    assert "assumed" not in capsys.readouterr().out


def test_an_unknown_preset_is_refused_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        main(["train", "--preset", "huge"])
    assert ending.value.code == 2
    assert "book-124m" in capsys.readouterr().err


@pytest.mark.slow
def test_the_process_ends_soon_after_its_run(tmp_path: Path) -> None:
    """A thread left behind would keep it, or abort it at exit."""
    process = start(
        "train", "--text", "nine-small-boats", "--epochs", "1", "--runs-dir", str(tmp_path)
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Finished"):
            break
    ended = time.monotonic()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert time.monotonic() - ended < 30


@pytest.mark.slow
def test_an_interrupted_run_is_listed_resumed_and_exported_whole(tmp_path: Path) -> None:
    runs_dir = ("--runs-dir", str(tmp_path))
    process = start("train", "--text", "counting", "--epochs", "8", "--run-id", "mine", *runs_dir)
    assert process.stdout is not None
    for line in process.stdout:
        if "(Step 000010)" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    out, _ = start("runs", *runs_dir).communicate(timeout=60)
    assert re.search(r"mine +interrupted +\d+ of 72", out)

    resumed = start("resume", "mine", *runs_dir)
    out, err = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, err
    assert "Step 000010" not in out
    assert "Ep 8 (Step 000070)" in out
    assert "Finished after 72 steps" in out

    out, _ = start("export", "mine", "--format", "csv", *runs_dir).communicate(timeout=60)
    rows = list(csv.DictReader(out.splitlines()))
    evaluated = [row for row in rows if row["val_loss"]]
    assert [int(row["global_step"]) for row in rows] == list(range(72))
    assert [int(row["global_step"]) for row in evaluated] == list(range(0, 72, 10))
    assert all(float(row["loss"]) > 0 and float(row["grad_norm"]) > 0 for row in rows)
    assert all(float(row["val_loss"]) > 0 for row in evaluated)


@pytest.mark.parametrize("command", ["resume", "export"])
def test_a_run_that_is_not_there_is_refused_with_exit_code_2(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "nobody", "--runs-dir", str(tmp_path)]) == 2
    assert "There is no run nobody" in capsys.readouterr().err


@pytest.mark.slow
def test_two_terminals_train_into_one_store_at_the_same_time(tmp_path: Path) -> None:
    common = ("train", "--text", "counting", "--epochs", "1", "--runs-dir", str(tmp_path))
    common += ("--precision", "float32")  # two that slow each other down may measure differently
    processes = [start(*common, "--run-id", name) for name in ("one", "two")]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    with closing(RunStore(tmp_path)) as store:
        assert {run.id: run.state for run in store.runs()} == {"one": "finished", "two": "finished"}
        losses = [[row.loss for row in store.steps(name)] for name in ("one", "two")]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 9


@pytest.mark.slow
def test_a_run_that_trains_in_another_process_cannot_be_resumed_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = start("train", "--run-id", "theirs", "--runs-dir", str(tmp_path))
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Ep 1"):
            break
    assert main(["resume", "theirs", "--runs-dir", str(tmp_path)]) == 2
    assert "is live in another process" in capsys.readouterr().err
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_a_task_prints_how_many_answers_are_exact(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = ("--emb-dim=16", "--n-heads=2", "--n-layers=1", "--context-length=24")
    steps = ("--batch-size=64", "--epochs=1", "--eval-freq=300", "--sample-tokens=1")
    task = ("--text=copy", "--vocabulary=characters", "--precision=float32")
    code = main(["train", *task, *shape, *steps, "--runs-dir", str(tmp_path)])
    assert code == 0
    assert re.search(r"of tokens right, \d+\.\d% of answers exact\n", capsys.readouterr().out)

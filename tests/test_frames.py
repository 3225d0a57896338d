import pytest

from dashboard.frames import evaluations_frame, format_duration, run_progress
from gpt_core import Run
from tests.conftest import TINY, TINY_TRAINING


@pytest.fixture
def run() -> Run:
    return Run(
        id="a-run",
        created_at=0.0,
        owner="ada",
        preset="tiny",
        model_config=TINY,
        training_config=TINY_TRAINING,
        text_name="a text",
        text_sha256="0" * 64,
        train_tokens=900,
        val_tokens=100,
        total_steps=20,
        versions={},
        state="running",
        state_at=0.0,
        message="",
    )


def step(global_step: int, seconds: float) -> dict:
    return {
        "global_step": global_step,
        "epoch": 1 + global_step // 10,
        "tokens_seen": 64 * (global_step + 1),
        "seconds": seconds,
    }


def test_an_evaluation_stands_at_the_share_of_epochs_gone_through(run: Run) -> None:
    row = {"id": 1, "epoch": 1, "tokens_seen": 320, "train_loss": 9.0, "val_loss": 9.5}
    frame = evaluations_frame([{**row, "global_step": 4}, {**row, "global_step": 19}], run)
    assert frame["epochs"].tolist() == [0.5, 2.0]
    assert frame["train_loss"].tolist() == [9.0, 9.0]


def test_a_run_without_evaluations_gives_an_empty_frame_with_its_columns(run: Run) -> None:
    frame = evaluations_frame([], run)
    assert len(frame) == 0
    assert {"epochs", "train_loss", "val_loss", "tokens_seen"} <= set(frame)


def test_progress_counts_steps_and_takes_its_pace_from_the_last_ones(run: Run) -> None:
    progress = run_progress(run, [step(9, 4.0), step(10, 4.5), step(11, 5.0)])
    assert (progress.steps_done, progress.total_steps, progress.epoch) == (12, 20, 2)
    assert progress.fraction == 0.6
    assert progress.tokens_per_second == pytest.approx(128)
    assert progress.seconds_left == pytest.approx(4)


@pytest.mark.parametrize("rows", [[], [step(0, 0.5)]])
def test_before_the_second_step_there_is_no_pace(run: Run, rows: list[dict]) -> None:
    progress = run_progress(run, rows)
    assert progress.steps_done == len(rows)
    assert progress.tokens_per_second is None
    assert progress.seconds_left is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text

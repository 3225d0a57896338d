import pytest

from dashboard.frames import evaluations_frame, format_duration
from gpt_core import Run


def test_an_evaluation_stands_at_the_share_of_epochs_gone_through(run: Run) -> None:
    row = {"id": 1, "epoch": 1, "tokens_seen": 320, "train_loss": 9.0, "val_loss": 9.5}
    frame = evaluations_frame([{**row, "global_step": 4}, {**row, "global_step": 19}], run)
    assert frame["epochs"].tolist() == [0.5, 2.0]
    assert frame["train_loss"].tolist() == [9.0, 9.0]


def test_a_run_without_evaluations_gives_an_empty_frame_with_its_columns(run: Run) -> None:
    frame = evaluations_frame([], run)
    assert len(frame) == 0
    assert {"epochs", "train_loss", "val_loss", "tokens_seen"} <= set(frame)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text

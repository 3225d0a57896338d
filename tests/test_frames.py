import pytest

from dashboard.frames import (
    evaluations_frame,
    format_duration,
    format_loss,
    format_probability,
    probability_strength,
)
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


def test_a_loss_has_three_decimals_or_is_a_dash() -> None:
    assert (format_loss(None), format_loss(6.4516)) == ("–", "6.452")


@pytest.mark.parametrize(
    ("probability", "text"), [(0.98765, "0.988"), (0.001, "0.001"), (7.454e-05, "7.5e-05")]
)
def test_probabilities_are_short(probability: float, text: str) -> None:
    assert format_probability(probability) == text


def test_a_certain_token_is_coloured_fully_and_an_improbable_one_not_at_all() -> None:
    assert probability_strength(1.0) == 1.0
    assert probability_strength(0.1) == pytest.approx(0.8)
    assert probability_strength(1e-5) == probability_strength(0.0) == 0.0

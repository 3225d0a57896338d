import numpy as np
import pandas as pd
import pytest

from dashboard.charts import describe_losses, kept_points, loss_chart
from dashboard.palette import TRAINING, VALIDATION

EVALUATIONS = pd.DataFrame(
    {
        "global_step": [0, 5, 10],
        "tokens_seen": [512, 3072, 5632],
        "epochs": [0.1, 0.6, 1.1],
        "train_loss": [9.8, 8.1, 6.7],
        "val_loss": [9.9, 8.3, 7.0],
    }
)


def test_both_losses_are_drawn_against_epochs_each_in_its_colour() -> None:
    figure = loss_chart(EVALUATIONS, num_epochs=10, tokens_per_epoch=4608, run_id="a-run")
    training, validation = figure.data[:2]
    assert list(training.x) == [0.1, 0.6, 1.1]
    assert list(training.y) == [9.8, 8.1, 6.7]
    assert list(validation.y) == [9.9, 8.3, 7.0]
    assert (training.line.color, validation.line.color) == (TRAINING, VALIDATION)
    assert training.line.dash != validation.line.dash  # colour is not the only carrier


def test_tokens_seen_stand_above_the_epochs_they_belong_to() -> None:
    figure = loss_chart(EVALUATIONS, num_epochs=10, tokens_per_epoch=4608, run_id="a-run")
    upper = figure.layout.xaxis2
    assert (upper.side, upper.matches, upper.title.text) == ("top", "x", "Tokens seen")
    labels = dict(zip(upper.tickvals, upper.ticktext, strict=True))
    assert labels[0] == "0"
    assert labels[5] == "23,040"
    assert labels[10] == "46,080"


def test_an_empty_run_has_its_axes_already() -> None:
    figure = loss_chart(EVALUATIONS.iloc[:0], num_epochs=3, tokens_per_epoch=100, run_id="a-run")
    assert figure.layout.xaxis.range[1] >= 3
    assert figure.layout.uirevision == "a-run"


def drawn(y: np.ndarray) -> set[tuple[int, float]]:
    return {(int(i), float(y[i])) for i in kept_points(y)}


def test_a_line_that_is_not_long_is_drawn_whole() -> None:
    assert kept_points(np.arange(1000.0)).tolist() == list(range(1000))
    assert kept_points(np.zeros(0)).tolist() == []


@pytest.mark.parametrize("length", [1001, 5000, 65_537, 100_000])
def test_a_long_line_is_drawn_with_about_a_thousand_points_and_all_its_spikes(length: int) -> None:
    y = np.random.default_rng(3).normal(size=length)
    y[length // 3], y[length // 2] = 50, -50
    kept = kept_points(y)
    assert 400 <= len(kept) <= 1300
    assert {0, length // 3, length // 2, length - 1} <= set(kept.tolist())
    assert kept.tolist() == sorted(set(kept.tolist()))


def test_points_that_are_drawn_do_not_move_as_the_line_grows() -> None:
    y = np.cumsum(np.random.default_rng(4).normal(size=20_000))
    before = drawn(y[:2000])
    for length in range(2001, 20_000, 487):
        now = drawn(y[:length])
        # What is drawn of the earlier part was drawn there before, or lay in its open end.
        new = {point for point in now - before if point[0] < length - 487 - 64}
        assert not new
        before = now


def test_a_spike_between_points_is_still_there_when_a_hundred_times_as_many_have_come() -> None:
    y = np.ones(100_000)
    y[777] = 9
    assert all((777, 9.0) in drawn(y[:length]) for length in (1000, 3000, 30_000, 100_000))


def test_the_description_names_the_last_losses() -> None:
    assert "1.10 epochs: 6.700 and 7.000" in describe_losses(EVALUATIONS)
    assert "no evaluation yet" in describe_losses(EVALUATIONS.iloc[:0])

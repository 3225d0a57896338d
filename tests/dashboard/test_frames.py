from dataclasses import replace

import numpy as np
import pytest

from dashboard.charts import (
    extent_of,
    format_duration,
    format_loss,
    format_probability,
    numbers_frame,
    position_name,
    probability_strength,
    tokens_per_second,
)
from gpt_core.store import Run
from tests.conftest import TINY_TRAINING
from tests.support.curves import evaluations


def test_evaluations_get_the_epochs_gone_through_and_the_minutes(run: Run) -> None:
    rows = evaluations({4: (9.0, 9.5), 19: (8.0, 8.5)})
    frame = numbers_frame(rows, run)
    assert frame["epochs"].tolist() == [0.5, 2.0]  # 10 steps an epoch
    assert frame["minutes"].tolist() == pytest.approx([16 / 60, 76 / 60])
    assert frame["train_loss"].tolist() == [9.0, 8.0]


def test_no_evaluations_give_an_empty_frame_with_the_same_columns(run: Run) -> None:
    frame = numbers_frame(evaluations({}), run)
    assert frame.empty
    assert {"epochs", "minutes", "tokens_seen", "val_loss"} <= set(frame.columns)


def test_the_extent_counts_every_batch_of_an_update(run: Run) -> None:
    training = replace(TINY_TRAINING, accumulation_steps=3)
    extent = extent_of(replace(run, training_config=training))
    assert (extent.num_epochs, extent.total_steps) == (2, 20)
    assert extent.tokens_per_epoch == 10 * 2 * 3 * 32


def test_the_pace_is_that_of_the_steps_before() -> None:
    steps = np.zeros(4, dtype=[("tokens_seen", float), ("seconds", float)])
    steps["tokens_seen"] = [64, 128, 192, 256]
    steps["seconds"] = [1, 2, 3, 5]
    assert tokens_per_second(steps, over=2).tolist() == [64, 64, 32]
    assert tokens_per_second(steps, over=99).tolist() == [64, 64, 48]
    assert tokens_per_second(steps[:1]).tolist() == []


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


def test_probabilities_that_differ_much_have_colours_that_differ() -> None:
    strengths = [probability_strength(p) for p in (0.0, 0.002, 0.02, 0.27, 0.6, 0.99)]
    assert strengths == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert probability_strength(1e-5) == 0.0
    assert probability_strength(0.9) == probability_strength(1.0)


def test_a_position_has_the_chapters_name_and_beyond_nine_a_comma() -> None:
    assert position_name(2, 3, largest=3) == "23"
    assert position_name(4, 11, largest=11) == "4,11"
    assert position_name(1, 1, largest=12) == "1,1"

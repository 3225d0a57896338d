import pytest

from gpt_core.analysis import BOOK_RUN, LECTURE_RUN, describe_curve, describe_start, read_curve
from gpt_core.analysis.run_history import EVALUATION_COLUMNS
from tests.support.curves import evaluations

BOOK = evaluations(BOOK_RUN.losses)


def test_the_books_curves_part_in_the_second_epoch_and_turn_in_the_seventh() -> None:
    reading = read_curve(BOOK)
    assert reading is not None
    assert reading.divergence is not None
    assert (reading.divergence.step, reading.divergence.epoch) == (10, 2)
    assert (reading.best.step, reading.best.epoch, reading.best.val_loss) == (55, 7, 6.134)
    assert reading.is_overfitting
    assert describe_curve(reading) == (
        "The curves diverge at step 10 (epoch 2: training 6.661, validation 7.048); validation is "
        "lowest, 6.134, at step 55 (epoch 7) and has risen to 6.452 since, while training fell "
        "to 0.391: from there on the model learns this text by heart."
    )


def test_the_lectures_curve_reads_alike() -> None:
    reading = read_curve(evaluations(LECTURE_RUN.losses))
    assert reading is not None
    assert reading.divergence is not None
    assert reading.divergence.epoch in (1, 2)
    assert reading.best.step == 58  # its label 60 is 59 updates
    assert reading.is_overfitting


@pytest.mark.parametrize("points", range(1, 18))
def test_no_turn_is_claimed_before_there_is_one(points: int) -> None:
    reading = read_curve(BOOK[:points])
    assert reading is not None
    steps = sorted(BOOK_RUN.losses)[:points]
    # At steps 45 and 50 validation has gone up and down again by less than a hundredth.
    assert reading.is_overfitting == (steps[-1] >= 65)
    sentence = describe_curve(reading)
    assert ("by heart" in sentence) == reading.is_overfitting
    assert ("are still close" in sentence) == (steps[-1] < 10)


def test_a_run_that_does_not_learn_is_not_praised() -> None:
    reading = read_curve(evaluations({0: (12.0, 12.1), 5: (40.0, 41.0), 10: (43.4, 43.9)}))
    assert reading is not None
    sentence = describe_curve(reading)
    assert "above the 12.000 that it began with: the model does not learn" in sentence


def test_before_the_first_evaluation_there_is_nothing_to_read() -> None:
    assert read_curve(BOOK[:0]) is None
    assert BOOK.dtype.names == EVALUATION_COLUMNS


def test_the_start_is_compared_with_a_uniform_guess() -> None:
    reading = read_curve(BOOK)
    assert reading is not None
    sentence = describe_start(reading, 50257)
    assert "step 0 validation is 9.933, below ln(50,257) = 10.825" in sentence

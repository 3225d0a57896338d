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
    sentence = (
        "The model overfits since step 55 (epoch 7): there validation was lowest, 6.134, and it "
        "has risen to 6.452 since, while training fell to 0.391. Training has been clearly below "
        "validation since step 10 (epoch 2: 6.661 and 7.048)."
    )
    assert describe_curve(reading) == sentence
    assert describe_curve(reading, copied=0.49) == sentence
    assert describe_curve(reading, copied=0.98) == (
        f"{sentence} It has learnt passages by heart: 98% of its last sample is copied from the "
        "training text."
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
    sentence = describe_curve(reading, copied=1.0)
    assert (sentence == "") == (points < 4)
    assert ("overfits" in sentence) == ("by heart" in sentence) == reading.is_overfitting


def falling(*losses: tuple[float, float]) -> str:
    """Return the sentence on evaluations every five steps, all copied by heart."""
    reading = read_curve(evaluations({5 * i: pair for i, pair in enumerate(losses)}))
    assert reading is not None
    return describe_curve(reading, copied=1.0)


# Each sentence with a curve on which it is true, and one on which it is nearly so.
BEGINNING = ((10.0, 10.1), (9.0, 9.2), (8.0, 8.2))


@pytest.mark.parametrize(
    ("said", "true", "nearly"),
    [
        (
            "Both losses have fallen together so far (training 7.000, validation 7.200): no sign "
            "of overfitting yet.",
            (*BEGINNING, (7.0, 7.2)),
            (*BEGINNING, (7.0, 7.4)),  # the gap is above a twentieth
        ),
        (
            "no sign of overfitting yet",
            (*BEGINNING, (7.0, 7.2)),
            BEGINNING,  # too early to say
        ),
        (
            "The losses have not both fallen clearly yet: training went from 10.000 to 9.950",
            ((10.0, 10.1), (9.97, 10.08), (9.96, 10.07), (9.95, 10.06)),
            ((10.0, 10.1), (9.97, 10.08), (9.96, 10.07), (9.89, 9.99)),
        ),
        (
            "so far training has made the model worse",
            ((12.0, 12.1), (40.0, 41.0), (43.4, 43.9), (12.1, 12.2)),
            ((12.0, 12.1), (11.9, 12.0), (11.8, 11.9), (11.9, 12.0)),
        ),
        (
            "Training has risen again, to 9.000 from 8.000 at step 10.",
            (*BEGINNING, (9.0, 9.2)),
            (*BEGINNING, (8.7, 8.9)),  # evaluations are of a few batches: that much is noise
        ),
        (
            "Training has been clearly below validation since step 15 (epoch 2: 7.000 and 7.900); "
            "validation has fallen to 7.900 at step 15 (epoch 2) and has not clearly risen since; "
            "training is at 6.000.",
            (*BEGINNING, (7.0, 7.9), (6.5, 7.95), (6.0, 7.95)),
            (*BEGINNING, (7.0, 7.9), (6.5, 7.95), (6.0, 8.0)),  # risen by more than a hundredth
        ),
        (
            "Training has been clearly below validation since step 0",
            ((7.0, 8.0), (6.0, 7.0), (5.0, 6.0), (4.0, 5.0)),
            ((7.0, 7.2), (6.0, 7.0), (5.0, 6.0), (4.0, 5.0)),
        ),
        (
            "validation has not fallen below the 8.000 that it began with",
            ((7.0, 8.0), (6.0, 8.02), (5.0, 8.03), (4.0, 8.01)),
            ((7.0, 8.0), (6.0, 7.9), (5.0, 7.91), (4.0, 7.92)),
        ),
        (
            "The model overfits",
            (*BEGINNING, (7.0, 7.9), (6.5, 7.95), (6.0, 8.0)),
            (*BEGINNING, (7.0, 8.0), (7.1, 8.1), (7.2, 8.2)),  # training rises, too
        ),
        (
            "It has learnt passages by heart: 100% of its last sample is copied",
            (*BEGINNING, (7.0, 7.9), (6.5, 7.95), (6.0, 8.0)),
            (*BEGINNING, (7.0, 7.2)),  # a text that repeats itself is copied without overfitting
        ),
    ],
)
def test_a_sentence_is_said_where_it_is_true_and_not_where_it_is_nearly_so(
    said: str, true: tuple[tuple[float, float], ...], nearly: tuple[tuple[float, float], ...]
) -> None:
    assert said in falling(*true)
    assert said not in falling(*nearly)


def test_before_the_first_evaluation_there_is_nothing_to_read() -> None:
    assert read_curve(BOOK[:0]) is None
    assert BOOK.dtype.names == EVALUATION_COLUMNS


def test_the_start_is_compared_with_a_uniform_guess() -> None:
    reading = read_curve(BOOK)
    assert reading is not None
    sentence = describe_start(reading, 50257)
    assert (
        "After the first update, step 0, validation is 9.933, below ln(50,257) = 10.825" in sentence
    )

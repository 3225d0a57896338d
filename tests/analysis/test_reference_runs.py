from gpt_core.analysis import BOOK_RUN, LECTURE_RUN, NOTEBOOK_RUN
from gpt_core.analysis.reference_runs import BAND


def test_a_sound_run_on_another_device_lies_inside_the_band() -> None:
    assert NOTEBOOK_RUN.device != BOOK_RUN.device
    for step, (train_loss, val_loss) in NOTEBOOK_RUN.losses.items():
        book_train, book_val = BOOK_RUN.losses[step]
        assert abs(train_loss - book_train) < BAND.train_loss
        assert abs(val_loss - book_val) < BAND.val_loss


def test_a_run_that_does_not_learn_lies_outside() -> None:
    untrained = 10.99
    assert abs(untrained - BOOK_RUN.losses[85][0]) > BAND.train_loss
    assert abs(untrained - BOOK_RUN.losses[85][1]) > BAND.val_loss


def test_the_books_run_has_an_evaluation_every_five_steps() -> None:
    assert list(BOOK_RUN.losses) == list(range(0, 90, 5))


def test_the_lectures_labels_are_one_more_than_its_updates() -> None:
    # Its label 5 stands after 4 updates, which the book's counter calls step 3.
    assert list(LECTURE_RUN.losses) == list(range(3, 93, 5))
    assert LECTURE_RUN.losses[3] == (8.833, 8.888)
    assert LECTURE_RUN.losses[88] == (0.749, 6.294)

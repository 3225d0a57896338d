from gpt_core.published import BAND, BOOK_RUN, NOTEBOOK_RUN


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

import pandas as pd

from dashboard.charts import TRAINING, VALIDATION, loss_chart

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

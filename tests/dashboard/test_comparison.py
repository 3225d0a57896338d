"""Runs in one chart, and their row in the table."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from dashboard.charts import RUNS, Axes, Curve, comparison_chart, describe_comparison
from dashboard.charts.comparison import LEAST
from dashboard.charts.palette import TRAINING, VALIDATION
from dashboard.components.run_table import row_of
from dashboard.runs.comparison import distinct_names
from gpt_core.presets import PRESETS
from gpt_core.store import Run, RunSummary

BOTH = ("train_loss", "val_loss")


def curve(name: str, points: int = 3) -> Curve:
    at = np.arange(points)
    losses = {"train_loss": 9.0 - at / points, "val_loss": 9.5 - at / points}
    return Curve(name, pd.DataFrame({"global_step": at, "epochs": at / 9, "minutes": at, **losses}))


def draw_comparison(*args: Any) -> go.Figure:
    """The chart as plotly takes it up: it refuses what is no figure."""
    return go.Figure(comparison_chart(*args))


def test_each_run_has_a_colour_and_validation_is_dashed_beside_training() -> None:
    figure = draw_comparison([curve("a"), curve("b")], BOTH, Axes(), "r")
    assert [trace.name for trace in figure.data] == [
        "a: training",
        "a: validation",
        "b: training",
        "b: validation",
    ]
    assert [trace.line.color for trace in figure.data] == [RUNS[0]] * 2 + [RUNS[1]] * 2
    assert [trace.line.dash for trace in figure.data] == ["solid", "dash"] * 2
    (line,) = draw_comparison([curve("a")], ("val_loss",), Axes(), "r").data
    assert list(line.y) == pytest.approx([9.5, 9.5 - 1 / 3, 9.5 - 2 / 3])


def test_a_single_runs_lines_have_the_colours_that_they_have_everywhere() -> None:
    figure = draw_comparison([curve("a")], BOTH, Axes(), "r")
    assert [(t.name, t.line.color) for t in figure.data] == [
        ("Training", TRAINING),
        ("Validation", VALIDATION),
    ]


def test_where_colours_come_again_the_marks_differ() -> None:
    figure = draw_comparison([curve(str(i)) for i in range(20)], BOTH[:1], Axes(), "r")
    looks = {(trace.line.color, trace.marker.symbol) for trace in figure.data}
    assert len(looks) == 20


@pytest.mark.slow
@pytest.mark.parametrize("runs", [1, 3, 50, 500])
def test_what_is_sent_stays_bounded_however_many_runs_are_chosen(runs: int) -> None:
    figure = draw_comparison([curve(str(i), 2000) for i in range(runs)], BOTH, Axes(), "r")
    points = sum(len(trace.x) for trace in figure.data)
    assert points <= max(2 * 3600, 2 * 2 * LEAST * 2 * runs)


def test_a_name_in_the_chart_is_never_markup() -> None:
    figure = draw_comparison([curve("<b>a</b>"), curve("b")], ("val_loss",), Axes(), "r")
    assert figure.data[0].name == "&lt;b&gt;a&lt;/b&gt;"


def test_axes_are_as_chosen() -> None:
    axes = Axes("minutes", perplexity=True, log=True)
    figure = draw_comparison([curve("a"), curve("b")], ("val_loss",), axes, "r")
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.yaxis.title.text == "Validation perplexity"
    assert figure.layout.xaxis.title.text == "Minutes of training"
    assert figure.data[0].y[0] == pytest.approx(np.exp(9.5), rel=1e-5)


def test_the_chart_is_said_in_words_too() -> None:
    words = describe_comparison([curve("a"), curve("b", 0)], BOTH)
    assert words == (
        "Losses of the chosen runs. a: training 8.333 and validation 8.833 at step 2; "
        "b: no evaluation yet."
    )


def test_runs_of_the_same_name_are_told_apart(run: Run) -> None:
    runs = [
        replace(run, id="x1", name="mine"),
        replace(run, id="x2", name="mine"),
        replace(run, id="x3", name="other"),
        replace(run, id="x4"),
    ]
    assert distinct_names(runs) == ["mine · x1", "mine · x2", "other", "x4"]


@pytest.mark.usefixtures("own_runtime")
def test_a_row_holds_what_the_table_shows_and_sorts_by(run: Run) -> None:
    pocket = PRESETS["pocket"]
    changed = replace(pocket.training, learning_rate=0.01)
    run = replace(run, preset="pocket", model_config=pocket.model, training_config=changed)
    row = row_of(RunSummary(run, 7, 185.0, 5.0, 6.0, 2.1, 5.5, 4))
    assert (row["changes"], row["steps"], row["total"]) == ("learning_rate 0.01", 7, 20)
    assert (row["train"], row["val"], row["lowest"], row["lowest_step"]) == (5.0, 6.0, 5.5, 4)
    assert (row["seconds"], row["time"]) == (185.0, "3 min 05 s")

import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from dashboard.charts import (
    Axes,
    LossCurves,
    Panel,
    describe_losses,
    loss_chart,
    published_frame,
    small_charts,
    to_json,
)
from dashboard.charts.axes import Extent
from dashboard.charts.figure import kept_points
from dashboard.charts.palette import TRAINING, VALIDATION
from gpt_core.analysis import LECTURE_RUN
from gpt_core.store import Baselines, Run

EVALUATIONS = pd.DataFrame(
    {
        "global_step": [0, 5, 10],
        "tokens_seen": [512, 3072, 5632],
        "epochs": [0.1, 0.6, 1.1],
        "minutes": [0.0, 0.3, 0.6],
        "train_loss": [9.8, 8.1, 6.7],
        "val_loss": [9.9, 8.3, 7.0],
    }
)


STEPS = pd.DataFrame(
    {
        "global_step": range(11),
        "tokens_seen": [512 * (i + 1) for i in range(11)],
        "epochs": [(i + 1) / 9 for i in range(11)],
        "minutes": [0.1 * i for i in range(11)],
        "loss": np.linspace(10.9, 6.5, 11),
    }
)
EXTENT = Extent(num_epochs=10, total_steps=90, tokens_per_epoch=4608)


def draw_losses(
    evaluations: pd.DataFrame,
    extent: Extent,
    run_id: str,
    steps: pd.DataFrame | None = None,
    axes: Axes = Axes(),  # noqa: B008 (frozen)
    published: dict[str, pd.DataFrame] | None = None,
    **options: Any,
) -> go.Figure:
    """The chart as plotly takes it up: it refuses what is no figure."""
    curves = LossCurves(evaluations, steps, published or {})
    return go.Figure(loss_chart(curves, extent, run_id, axes, **options))


def named(figure: go.Figure, name: str) -> go.Scatter:
    return next(trace for trace in figure.data if trace.name == name)


def test_both_losses_are_drawn_against_epochs_each_in_its_colour() -> None:
    figure = draw_losses(EVALUATIONS, EXTENT, run_id="a-run")
    training, validation = figure.data[:2]
    assert list(training.x) == [0.1, 0.6, 1.1]
    assert list(training.y) == [9.8, 8.1, 6.7]
    assert list(validation.y) == [9.9, 8.3, 7.0]
    assert (training.line.color, validation.line.color) == (TRAINING, VALIDATION)
    assert training.line.dash != validation.line.dash  # colour is not the only carrier


@pytest.mark.parametrize("x", ["epochs", "global_step"])
def test_tokens_seen_stand_above_the_epochs_or_steps_they_belong_to(x: str) -> None:
    upper = draw_losses(EVALUATIONS, EXTENT, run_id="a-run", axes=Axes(x)).layout.xaxis2
    assert (upper.side, upper.matches, upper.title.text) == ("top", "x", "Tokens seen")
    labels = dict(zip(upper.tickvals, upper.ticktext, strict=True))
    assert labels[0] == "0"
    assert labels[5 if x == "epochs" else 44] == "23,040"  # step 44 is the 45th update
    assert labels[10 if x == "epochs" else 89] == "46,080"


def test_each_axis_has_its_column_and_ends_where_the_run_will() -> None:
    for x, end in (("epochs", 10), ("global_step", 89), ("tokens_seen", 46080)):
        figure = draw_losses(EVALUATIONS, EXTENT, "a-run", STEPS, Axes(x))
        assert list(figure.data[0].x) == EVALUATIONS[x].tolist()
        assert list(named(figure, "Each step").x) == STEPS[x].tolist()
        assert figure.layout.xaxis.range[1] == pytest.approx(1.01 * end)
    minutes = draw_losses(EVALUATIONS, EXTENT, "a-run", axes=Axes("minutes"))
    assert minutes.layout.xaxis.range is None  # nobody knows when it will end
    assert "xaxis2" not in minutes.layout


def test_each_steps_own_batch_stands_faintly_behind() -> None:
    behind = named(draw_losses(EVALUATIONS, EXTENT, "a-run", STEPS), "Each step")
    assert list(behind.y) == STEPS["loss"].tolist()
    assert behind.opacity < 0.7
    assert behind.zorder < 2


def test_perplexity_is_the_exponential_of_each_loss_and_of_the_uniform_guess() -> None:
    axes = Axes(perplexity=True, log=True)
    figure = draw_losses(EVALUATIONS, EXTENT, "a-run", STEPS, axes, vocab_size=50257)
    assert list(figure.data[0].y) == pytest.approx(np.exp([9.8, 8.1, 6.7]))
    assert figure.layout.shapes[0].y0 == pytest.approx(50257)
    assert (figure.layout.yaxis.type, figure.layout.yaxis.title.text) == ("log", "Perplexity")
    plain = draw_losses(EVALUATIONS, EXTENT, "a-run", vocab_size=50257)
    assert plain.layout.shapes[0].y0 == pytest.approx(10.825, abs=1e-3)


KNOWN = Baselines(unigram=7.5, bigram=7.2, bytes_per_token=4.0, floor=2.0, entropy=2.1)


def draw_baselines(axes: Axes, evaluations: pd.DataFrame = EVALUATIONS) -> Any:
    curves = LossCurves(evaluations, STEPS, baselines=KNOWN)
    return go.Figure(loss_chart(curves, EXTENT, "a-run", axes, vocab_size=50257))


def test_the_baselines_and_the_floor_are_lines_with_their_names_at_the_end() -> None:
    figure = draw_baselines(Axes())
    assert [shape.y0 for shape in figure.layout.shapes] == pytest.approx(
        [10.825, 7.5, 7.2, 2], 1e-3
    )
    labels = {note.text: note for note in figure.layout.annotations}
    assert list(labels)[1:] == [
        "unigram: 7.500",
        "bigram: 7.200",
        "floor: 2.000 (by formula 2.100)",
    ]
    # Their labels cannot lie on each other; the floor's is where the curves are high.
    assert (labels["unigram: 7.500"].yanchor, labels["bigram: 7.200"].yanchor) == ("bottom", "top")
    assert labels["floor: 2.000 (by formula 2.100)"].xanchor == "left"
    assert min(min(trace.y) for trace in figure.data if trace.y[0] is not None) == 2  # in view


def test_a_baseline_far_above_all_losses_is_not_marked() -> None:
    trained = EVALUATIONS.assign(train_loss=[3.3, 3.2, 3.1], val_loss=[3.6, 3.5, 3.4])
    curves = LossCurves(trained, baselines=KNOWN)
    figure = go.Figure(loss_chart(curves, EXTENT, "a-run", Axes(), vocab_size=50257))
    assert [note.text[:5] for note in figure.layout.annotations] == ["floor"]


def test_bits_per_byte_are_drawn_as_recorded_and_the_baselines_with_them() -> None:
    recorded = EVALUATIONS.assign(
        train_bits_per_byte=[3.5, 2.9, 2.4], val_bits_per_byte=[3.6, 3.0, 2.5]
    )
    figure = draw_baselines(Axes(bits=True), recorded)
    assert figure.layout.yaxis.title.text == "Bits per byte"
    assert list(figure.data[0].y) == pytest.approx([3.5, 2.9, 2.4])
    assert not [trace for trace in figure.data if trace.name == "Each step"]  # not measured
    per_byte = 4.0 * np.log(2)
    heights = [shape.y0 for shape in figure.layout.shapes]
    assert heights == pytest.approx([np.log(50257) / per_byte, 7.5 / per_byte, 7.2 / per_byte,
                                     2 / per_byte])  # fmt: skip
    older = EVALUATIONS.assign(train_bits_per_byte=np.nan, val_bits_per_byte=np.nan)
    draw_losses(older, EXTENT, "a-run", axes=Axes(bits=True), vocab_size=50257)  # an empty chart


def test_the_height_is_that_of_the_losses_and_a_far_guess_is_not_marked() -> None:
    def layout(losses: pd.DataFrame) -> Any:
        return draw_losses(losses, EXTENT, "a-run", vocab_size=50257).layout

    assert layout(EVALUATIONS).yaxis.rangemode == "nonnegative"
    assert len(layout(EVALUATIONS).shapes) == 1
    trained = EVALUATIONS.assign(train_loss=[3.3, 3.2, 3.1], val_loss=[3.6, 3.5, 3.4])
    assert not layout(trained).shapes  # it would stretch the axis to 10.8


def test_the_note_on_the_guess_is_complete_in_perplexity_too() -> None:
    for axes, words in (
        (Axes(), "a guess among 50,257: 10.825"),
        (Axes(perplexity=True), "a guess among 50,257"),
    ):
        [note] = draw_losses(
            EVALUATIONS, EXTENT, "r", axes=axes, vocab_size=50257
        ).layout.annotations
        assert note.text == words


def test_the_lowest_validation_loss_is_marked() -> None:
    risen = EVALUATIONS.assign(val_loss=[9.9, 6.5, 7.0])
    star = named(draw_losses(risen, EXTENT, "a-run"), "Lowest validation")
    assert (list(star.x), list(star.y)) == ([0.6], [6.5])


def test_a_published_run_is_laid_under_the_curve_by_updates(run: Run) -> None:
    figure = draw_losses(
        EVALUATIONS,
        EXTENT,
        "a-run",
        published={"The lecture": published_frame(LECTURE_RUN, replace(run, total_steps=20))},
    )
    line = named(figure, "The lecture: training")
    # The lecture's labels 5, 10, 15, 20 are 4, 9, 14 and 19 updates; this run has 10 an epoch.
    assert list(line.x) == pytest.approx([0.4, 0.9, 1.4, 1.9])
    assert list(line.y) == [8.833, 7.019, 6.101, 5.746]


def test_zoom_belongs_to_a_run_and_its_axes() -> None:
    revisions = {
        draw_losses(EVALUATIONS, EXTENT, run_id, axes=axes).layout.uirevision
        for run_id in ("a-run", "another")
        for axes in (Axes(), Axes("minutes"), Axes(log=True), Axes(perplexity=True))
    }
    assert len(revisions) == 8
    again = draw_losses(EVALUATIONS.iloc[:1], EXTENT, "a-run").layout.uirevision
    assert again in revisions


def test_an_empty_run_has_its_axes_already() -> None:
    extent = Extent(num_epochs=3, total_steps=6, tokens_per_epoch=100)
    figure = draw_losses(EVALUATIONS.iloc[:0], extent, "a-run", STEPS.iloc[:0], vocab_size=50257)
    assert figure.layout.xaxis.range[1] >= 3
    assert "Lowest validation" not in [trace.name for trace in figure.data]


def test_small_charts_share_their_axis_and_keep_spikes() -> None:
    steps = np.arange(5000.0)
    norm = np.ones(5000)
    norm[777] = 9
    figure = small_charts([Panel("Norm", steps, norm), Panel("Rate", steps, norm)], "Step", "a-run")
    assert [len(trace.x) <= 800 for trace in figure.data] == [True, True]
    assert max(figure.data[0].y) == 9
    assert figure.layout.xaxis2.matches == "x"
    assert [a.text for a in figure.layout.annotations] == ["Norm", "Rate"]


def drawn(y: np.ndarray) -> set[tuple[int, float]]:
    return {(int(i), float(y[i])) for i in kept_points(y)}


def test_a_line_that_is_not_long_is_drawn_whole() -> None:
    assert kept_points(np.arange(600.0)).tolist() == list(range(600))
    assert kept_points(np.zeros(0)).tolist() == []


@pytest.mark.parametrize("length", [1001, 5000, 65_537, 100_000])
def test_a_long_line_is_drawn_with_some_hundred_points_and_all_its_spikes(length: int) -> None:
    y = np.random.default_rng(3).normal(size=length)
    y[length // 3], y[length // 2] = 50, -50
    kept = kept_points(y)
    assert 300 <= len(kept) <= 800
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


@pytest.mark.parametrize("axes", [Axes(), Axes("minutes", perplexity=True, log=True)])
def test_what_the_browser_gets_is_the_figure(axes: Axes) -> None:
    chart = loss_chart(LossCurves(EVALUATIONS, STEPS), EXTENT, "a-run", axes, vocab_size=50257)
    sent = json.loads(to_json(chart))
    figure = json.loads(go.Figure(chart).to_json())
    del figure["layout"]["template"]  # plotly's own colours: the page has its own
    assert sent["layout"] == figure["layout"]
    for line, other in zip(sent["data"], figure["data"], strict=True):
        for key in ("x", "y", "customdata"):  # plotly makes its own choice of base64 and lists
            one, same = (np.ravel(_numbers(lines.pop(key, []))) for lines in (line, other))
            assert one == pytest.approx(same, rel=1e-6, nan_ok=True)
        assert line == other


def _numbers(values: Any) -> Any:
    if isinstance(values, dict):
        kind = {"f4": np.float32, "f8": np.float64}[values["dtype"]]
        return np.frombuffer(base64.b64decode(values["bdata"]), kind)
    return np.array(values, dtype=float)


@pytest.mark.parametrize("perplexity", [False, True])
def test_the_note_on_the_guess_stands_at_its_line_on_a_logarithmic_axis(perplexity: bool) -> None:
    axes = Axes("epochs", perplexity, True)
    layout = loss_chart(LossCurves(EVALUATIONS), EXTENT, "r", axes, 50257)["layout"]
    [line], [note] = layout["shapes"], layout["annotations"]
    assert 10 ** note["y"] == pytest.approx(line["y0"])  # notes are placed in exponents

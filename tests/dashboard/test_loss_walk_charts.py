import math

import pandas as pd
import pytest

from dashboard.charts import probe_lines
from dashboard.charts.figure import plain
from dashboard.charts.loss_walk import (
    binary_curves,
    candidates_bars,
    log_bars,
    logits_heatmap,
    loss_scale,
)


def test_tags_in_tokens_are_text_to_plotly() -> None:
    assert plain("<b>&") == "&lt;b&gt;&amp;"
    bars = candidates_bars(["<a href='x'>", "ok"], [0.6, 0.4], target=1)
    assert bars.data[0].y == ("&lt;a href='x'&gt; (argmax)", "ok (target)")
    heat = logits_heatmap([[1.0]], ["<i>"], ["<u>"])
    assert heat.layout.yaxis.ticktext == ("&lt;i&gt;",)
    assert heat.layout.xaxis.ticktext == ("&lt;u&gt;",)


def test_rows_of_the_heat_map_stay_apart_when_their_words_are_equal() -> None:
    heat = logits_heatmap([[1.0], [2.0]], ["after the", "after the"], ["x"])
    assert list(heat.data[0].y) == [0, 1]
    assert len(heat.layout.yaxis.ticktext) == 2


def test_argmax_and_target_are_named_beside_their_colour_even_when_they_are_one() -> None:
    bars = candidates_bars(["a", "b"], [0.9, 0.1], target=0)
    assert bars.data[0].y[0] == "a (argmax) (target)"


def test_the_mean_is_a_line_across_the_logarithms() -> None:
    assert not log_bars(["p11"], [-2.0]).layout.shapes
    figure = log_bars(["p11", "p12"], [-2.0, -4.0], mean=-3.0)
    assert figure.layout.shapes[0].y0 == -3.0
    assert "-3.0000" in figure.layout.annotations[0].text


def test_the_loss_stands_between_certainty_and_a_uniform_guess() -> None:
    scale = loss_scale(4.2, math.log(50257))
    assert scale.data[0].x == (0, pytest.approx(10.825, abs=1e-3), 4.2)
    assert loss_scale(20, 10.8).layout.xaxis.range[1] > 20


def test_the_marked_guess_lies_on_the_curve_of_the_right_answer() -> None:
    for label in (0, 1):
        figure = binary_curves(0.8, label)
        assert figure.data[2].y[0] == pytest.approx(-math.log(0.8 if label else 0.2))


def test_probes_are_lines_told_apart_by_their_dashes() -> None:
    frame = pd.DataFrame(
        [(s, n, 0.1) for s in (0, 5) for n in ("p11 a", "p12 b")],
        columns=["global_step", "name", "proba"],
    )
    figure = probe_lines(frame, 5, "a-run")
    assert [line.name for line in figure.data] == ["p11 a", "p12 b"]
    assert list(figure.data[0].x) == [0, 5]
    assert figure.data[0].line.dash != figure.data[1].line.dash
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.uirevision == "a-run"

import numpy as np
import pytest

from dashboard.charts import Bars, cosine_map, mean_bars


def test_each_bar_is_the_mean_of_its_group_and_empty_groups_are_left_out() -> None:
    values = np.array([1.0, 3.0, 5.0, 7.0, 9.0], dtype=np.float32)
    keys = np.array([0, 0, 5, 3, 100])
    figure = mean_bars([Bars("<b>m</b>", values, "#123456")], keys, [0, 1, 2, 4, 10, 50], "Times")
    [bars] = figure.data
    assert list(bars.x) == ["0", "2–3", "4–9", "50+"]
    assert list(bars.y) == pytest.approx([2.0, 7.0, 5.0, 9.0])
    assert list(bars.customdata) == [2, 1, 1, 1]
    assert bars.name == "&lt;b&gt;m&lt;/b&gt;"


def test_a_cosine_of_zero_has_no_colour() -> None:
    figure = cosine_map(np.eye(3, dtype=np.float32), [1, 2, 3])
    [heatmap] = figure.data
    colors = dict(heatmap.colorscale)
    assert (heatmap.zmin, heatmap.zmax) == (-1, 1)
    assert colors[0.5].endswith(",0)")

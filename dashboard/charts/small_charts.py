"""Small charts side by side, and bars for the parts of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts.figure import kept_points, plain
from dashboard.charts.palette import MEASURED, PREDICTED, TARGET


@dataclass(frozen=True)
class Panel:
    """One small chart: its title and its line, (points,) each for x and y."""

    title: str
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    color: str = MEASURED
    format: str = "~g"  # of its numbers, in d3 syntax


def small_charts(panels: Sequence[Panel], x_title: str, run_id: str, columns: int = 2) -> go.Figure:
    """Draw small charts in a grid with a common x-axis."""
    rows = -(-len(panels) // columns)
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=[p.title for p in panels],
        vertical_spacing=0.3 / rows,
        horizontal_spacing=0.17,  # room for an axis's numbers on a phone
    )
    for i, panel in enumerate(panels):
        kept = kept_points(panel.y)
        place = {"row": i // columns + 1, "col": i % columns + 1}
        figure.add_scatter(
            x=panel.x[kept].astype(np.float32),
            y=panel.y[kept].astype(np.float32),
            mode="lines" if len(kept) > 60 else "lines+markers",
            line={"color": panel.color, "width": 2},
            marker={"size": 4},
            name=panel.title,
            hovertemplate=f"%{{y:{panel.format}}}",
            **place,
        )
        figure.update_yaxes(rangemode="tozero", tickformat=panel.format, **place)
        if place["row"] == rows:
            figure.update_xaxes(title=x_title, **place)
    figure.update_layout(
        template="none",
        height=60 + 190 * rows,
        margin={"l": 50, "r": 15, "t": 35, "b": 45},
        showlegend=False,
        uirevision=f"{run_id} {x_title}",
    )
    figure.update_annotations(font_size=13)
    figure.update_xaxes(matches="x", zeroline=False)
    return figure


@dataclass(frozen=True)
class Bars:
    """The values whose means are drawn as bars of one colour."""

    name: str  # text, not markup
    values: npt.NDArray[np.float32]  # (N,)
    color: str


def mean_bars(
    series: Sequence[Bars], keys: npt.NDArray[np.int64], starts: Sequence[int], x_title: str
) -> go.Figure:
    """Draw the mean loss of each group of values as a bar.

    Args:
        series: one set of bars each.
        keys: what the values are grouped by, (N,), the smallest of ``starts`` or more.
        starts: the smallest key of each group, ascending. Groups without values are left out.
        x_title: what the keys are.
    """
    ends = [*starts[1:], None]
    group_of = np.searchsorted(starts, keys, side="right") - 1  # (N,)
    groups = np.unique(group_of)
    numbers = [int((group_of == group).sum()) for group in groups]
    figure = go.Figure()
    for bars in series:
        figure.add_bar(
            x=[_span(starts[group], ends[group]) for group in groups],
            y=[float(bars.values[group_of == group].mean()) for group in groups],
            name=plain(bars.name),
            marker={"color": bars.color},
            customdata=numbers,
            hovertemplate="%{y:.3f}, the mean of %{customdata:,}<extra></extra>",
        )
    figure.update_layout(
        template="none",
        height=250,
        margin={"l": 45, "r": 10, "t": 10, "b": 60},
        showlegend=False,
        uirevision=x_title,
        xaxis={"type": "category", "title": x_title, "showgrid": False, "zeroline": False},
        yaxis={"title": "Mean loss", "rangemode": "tozero"},
    )
    return figure


def _span(start: int, end: int | None) -> str:
    """Return the whole numbers from a start up to an end, not included, in words."""
    if end is None:
        return f"{start:,}+"
    return f"{start:,}" if end == start + 1 else f"{start:,}–{end - 1:,}"


def part_bars(values: Mapping[str, float], title: str) -> go.Figure:
    """Draw one number per part of a model as horizontal bars, in the model's order."""
    figure = go.Figure()
    figure.add_bar(
        x=list(values.values()),
        y=list(values),
        orientation="h",
        marker={"color": MEASURED},
        hovertemplate="%{y}: %{x:.4~g}<extra></extra>",
    )
    figure.update_layout(
        template="none",
        height=70 + 22 * len(values),
        margin={"l": 110, "r": 15, "t": 35, "b": 35},
        title={"text": title, "font": {"size": 13}, "x": 0.5},
        xaxis={"tickformat": "~g", "rangemode": "tozero"},
        yaxis={"autorange": "reversed"},
    )
    return figure


def cosine_map(
    cosines: npt.NDArray[np.float32], positions: Sequence[int], names: str = "Position"
) -> go.Figure:
    """Draw the cosines of each two positions, (N, N), −1 to 1, as a map in two colours."""
    figure = go.Figure()
    figure.add_heatmap(
        z=cosines.round(3),
        x=list(positions),
        y=list(positions),
        zmin=-1,
        zmax=1,
        colorscale=[[0, _faded(PREDICTED, 1)], [0.5, _faded(PREDICTED, 0)],
                    [0.5, _faded(TARGET, 0)], [1, _faded(TARGET, 1)]],
        showscale=False,
        hovertemplate="%{x} and %{y}: %{z:.2f}<extra></extra>",
    )  # fmt: skip
    axis = {"title": names, "showgrid": False, "zeroline": False, "constrain": "domain"}
    figure.update_layout(
        template="none",
        height=360,
        margin={"l": 55, "r": 10, "t": 15, "b": 50},
        uirevision="cosines",
        xaxis=axis,
        yaxis={**axis, "autorange": "reversed", "scaleanchor": "x"},
    )
    return figure


def _faded(color: str, opacity: float) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"

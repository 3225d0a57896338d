"""The losses of several runs in one chart: a pure function, no Streamlit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import pandas as pd

from dashboard.charts.axes import AXES, Axes, log_scale
from dashboard.charts.figure import MAX_POINTS, Chart, kept_points, plain
from dashboard.charts.palette import RUNS, TRAINING, VALIDATION

MARKS = ("circle", "square", "diamond", "triangle-up", "x", "star")
MAX_IN_ALL = 6 * MAX_POINTS  # points of all lines together …
LEAST = 40  # … unless there are so many lines that each would have fewer than these
LOSSES = {
    "train_loss": ("training", TRAINING, "solid"),
    "val_loss": ("validation", VALIDATION, "dash"),
}


@dataclass(frozen=True)
class Curve:
    """A run's name and its evaluations, with the columns of :data:`AXES` and both losses."""

    name: str
    evaluations: pd.DataFrame


def comparison_chart(
    curves: Sequence[Curve], losses: Sequence[str], axes: Axes, revision: str
) -> Chart:
    """Draw the losses of several runs: one colour per run, validation dashed beside training.

    A single run's lines have the usual colours of training and validation.

    Args:
        curves: the runs, in the order of their colours.
        losses: "train_loss", "val_loss" or both.
        axes: the x-axis, what is drawn, and a linear or logarithmic scale.
        revision: zoom is kept while this stays the same.
    """
    lines: list[Chart] = []
    most = max(LEAST, MAX_IN_ALL // max(1, len(curves) * len(losses)))
    for i, (curve, color) in enumerate(zip(curves, cycle(RUNS), strict=False)):
        name = plain(curve.name)
        if curve.evaluations.empty:  # so that the legend says why there is no line
            line = {"color": color if len(curves) > 1 else LOSSES[losses[0]][1]}
            name = f"{name} (not evaluated yet)"
            lines.append({"x": [None], "y": [None], "name": name, "line": line})
            continue
        for loss in losses:
            split, own_color, dash = LOSSES[loss]
            column = axes.column(loss.removesuffix("_loss"))
            y = curve.evaluations[column].to_numpy(np.float32)
            drawn = curve.evaluations.iloc[kept_points(y, most)]
            lines.append(
                {
                    "x": drawn[axes.x].to_numpy(np.float32),
                    "y": axes.height(drawn[column].to_numpy(np.float32)),
                    "customdata": drawn[["global_step"]].to_numpy(np.float32),
                    "name": _title(name, split, len(curves), len(losses)),
                    "legendgroup": str(i) if len(curves) > 1 else "",
                    # Once the colours repeat, only the markers tell the runs apart.
                    "mode": "lines+markers" if len(drawn) <= 80 or i >= len(RUNS) else "lines",
                    "line": {
                        "color": color if len(curves) > 1 else own_color,
                        "width": 2,
                        "dash": dash if len(losses) > 1 else "solid",
                    },
                    "marker": {
                        "size": 6 if i < len(RUNS) else 8,
                        "symbol": MARKS[i // len(RUNS) % len(MARKS)],
                        "maxdisplayed": 80 if i < len(RUNS) else 15,
                    },
                    "hovertemplate": f"%{{y:{axes.number_format}}} at step %{{customdata[0]:,}}",
                }
            )
    what = axes.title
    if len(losses) == 1:
        what = f"{LOSSES[losses[0]][0].capitalize()} {what.lower()}"
    layout = {
        "height": 460,
        "showlegend": True,
        "margin": {"l": 55, "r": 15, "t": 20, "b": 50},
        "hovermode": "closest",
        "hoverlabel": {"namelength": 60},
        "uirevision": revision,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": {"title": {"text": AXES[axes.x]}, "rangemode": "tozero"},
        "yaxis": {
            "title": {"text": what},
            "rangemode": "nonnegative",
            "zeroline": False,
            **log_scale(axes),
        },
    }
    return {"data": [{"type": "scatter", **line} for line in lines], "layout": layout}


def _title(name: str, split: str, curves: int, losses: int) -> str:
    """Return a line's name in the legend: only what tells it from the others."""
    if curves == 1 and losses > 1:
        return split.capitalize()
    return f"{name}: {split}" if losses > 1 else name


def describe_comparison(curves: Sequence[Curve], losses: Sequence[str]) -> str:
    """Describe the chart for screen readers: each run's last losses."""
    parts = []
    for curve in curves:
        if curve.evaluations.empty:
            parts.append(f"{curve.name}: no evaluation yet")
            continue
        last = curve.evaluations.iloc[-1]
        numbers = " and ".join(
            f"{LOSSES[loss][0]} {last[loss]:.3f}" for loss in losses if math.isfinite(last[loss])
        )
        parts.append(f"{curve.name}: {numbers} at step {last['global_step']:,.0f}")
    return "Losses of the chosen runs. " + "; ".join(parts) + "."

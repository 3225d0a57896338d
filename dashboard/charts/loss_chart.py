"""Training and validation loss in one chart: a pure function, no Streamlit."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from dashboard.charts.axes import AXES, Axes, Extent, log_scale
from dashboard.charts.figure import Chart, kept_points
from dashboard.charts.palette import MEASURED, TRAINING, VALIDATION
from gpt_core.system import count

MARGIN = 2.0  # if all losses are further below a uniform guess's, it is not marked
PUBLISHED_MARKERS = ("cross-thin-open", "x-thin-open", "asterisk-open")


@dataclass(frozen=True)
class LossCurves:
    """The data of a loss chart."""

    evaluations: pd.DataFrame  # one row each, with the columns of AXES and both losses
    steps: pd.DataFrame | None = None  # one row per step, with the loss of its batch
    published: Mapping[str, pd.DataFrame] = field(default_factory=dict)  # published losses, by name


def loss_chart(
    curves: LossCurves,
    extent: Extent,
    run_id: str,
    axes: Axes,
    vocab_size: int | None = None,
    size: float = 1.0,
) -> Chart:
    """Draw training and validation loss; against epochs or steps, tokens seen along the top.

    Args:
        curves: the losses.
        extent: how far the whole run extends.
        run_id: the run; zoom is kept while this and the axes stay the same.
        axes: the x-axis, loss or perplexity, and a linear or logarithmic scale.
        vocab_size: if given, marks the loss of a uniform guess among so many tokens, unless all
            losses are far below it.
        size: the scale of type and lines, larger for a projector.

    Source: the chapter's figure of the two losses, with its second axis.
    """
    lines = [
        *_evaluation_lines(curves.evaluations, axes, size),
        *_step_line(curves.steps, axes, size),
        *_published_lines(curves.published, axes, size),
        *_best_marker(curves.evaluations, axes, size),
    ]
    layout = _layout(extent, axes, run_id, size)
    if vocab_size and _highest(curves) >= math.log(vocab_size) - MARGIN:
        layout |= _mark_uniform(vocab_size, axes, size)
    if "xaxis2" in layout:
        upper = {"x": [0], "y": [None], "xaxis": "x2", "showlegend": False, "hoverinfo": "skip"}
        lines.append(upper)
    return {"data": [{"type": "scatter", **line} for line in lines], "layout": layout}


def _highest(curves: LossCurves) -> float:
    """Return the highest loss that is drawn; infinity if there is none yet."""
    frames = [(curves.evaluations, "train_loss"), (curves.evaluations, "val_loss")]
    if curves.steps is not None:
        frames.append((curves.steps, "loss"))
    highest = [float(frame[column].max()) for frame, column in frames if len(frame)]
    return max(filter(math.isfinite, highest), default=math.inf)


def _points(frame: pd.DataFrame, column: str, axes: Axes) -> Chart:
    """Return the coordinates of a line's points and the format of their values."""
    losses = frame[column].to_numpy(np.float32)
    return {
        "x": frame[axes.x].to_numpy(np.float32),
        "y": np.exp(losses) if axes.perplexity else losses,
        "hovertemplate": f"%{{y:{'.1f' if axes.perplexity else '.3f'}}}",
    }


def _evaluation_lines(evaluations: pd.DataFrame, axes: Axes, size: float) -> list[Chart]:
    """Return the curves of training and validation loss."""
    lines = []
    for column, name, color, dash in (
        ("train_loss", "Training", TRAINING, "solid"),
        ("val_loss", "Validation", VALIDATION, "dash"),
    ):
        drawn = evaluations.iloc[kept_points(evaluations[column].to_numpy())]
        line = _points(drawn, column, axes)
        line["hovertemplate"] += " (step %{customdata[0]:,}, %{customdata[1]:,} tokens)"
        lines.append(
            {
                **line,
                "customdata": drawn[["global_step", "tokens_seen"]].to_numpy(np.float32),
                "name": name,
                "mode": "lines+markers" if len(drawn) <= 80 else "lines",
                "line": {"color": color, "width": 2.5 * size, "dash": dash},
                "marker": {"size": 5 * size},
                "zorder": 2,
            }
        )
    return lines


def _step_line(steps: pd.DataFrame | None, axes: Axes, size: float) -> list[Chart]:
    """Return the loss of each step's batch as a faint line in the background, if given."""
    if steps is None or steps.empty:
        return []
    drawn = steps.iloc[kept_points(steps["loss"].to_numpy())]
    return [
        {
            **_points(drawn, "loss", axes),
            "name": "Each step",
            "mode": "lines",
            "line": {"color": TRAINING, "width": size},
            "opacity": 0.55,
            "zorder": 0,
        }
    ]


def _published_lines(published: Mapping[str, pd.DataFrame], axes: Axes, size: float) -> list[Chart]:
    """Return published losses, drawn under the curves."""
    return [
        {
            **_points(frame, column, axes),
            "name": f"{name}: {split}",
            "mode": "markers+lines",
            "line": {"color": color, "width": 1, "dash": "dot"},
            "marker": {
                "symbol": symbol,
                "size": 8 * size,
                "line": {"color": color, "width": 1.5},
            },
            "zorder": 1,
        }
        for (name, frame), symbol in zip(published.items(), PUBLISHED_MARKERS, strict=False)
        for column, split, color in (
            ("train_loss", "training", TRAINING),
            ("val_loss", "validation", VALIDATION),
        )
    ]


def _best_marker(evaluations: pd.DataFrame, axes: Axes, size: float) -> list[Chart]:
    """Return a star at the lowest validation loss, if there is one."""
    if evaluations.empty:
        return []
    best = evaluations.iloc[[int(evaluations["val_loss"].to_numpy().argmin())]]
    return [
        {
            **_points(best, "val_loss", axes),
            "name": "Lowest validation",
            "mode": "markers",
            "marker": {
                "symbol": "star",
                "size": 14 * size,
                "color": VALIDATION,
                "line": {"color": "white", "width": 1},
            },
            "hovertemplate": f"lowest, at step {best['global_step'].iloc[0]:,.0f}",
            "zorder": 3,
        }
    ]


def _mark_uniform(vocab_size: int, axes: Axes, size: float) -> Chart:
    """Mark the loss of a uniform guess among all tokens."""
    y = vocab_size if axes.perplexity else math.log(vocab_size)
    number = "" if axes.perplexity else f": {y:.3f}"
    across = {"xref": "x domain", "yref": "y"}
    return {
        "shapes": [
            {
                **across,
                "type": "line",
                **{"x0": 0, "x1": 1, "y0": y, "y1": y},
                "line": {"color": MEASURED, "width": 1, "dash": "dot"},
            }
        ],
        "annotations": [
            {
                **across,
                "text": f"a guess among {vocab_size:,}{number}",
                "font": {"size": 12 * size, "color": MEASURED},
                "x": 1,  # at the end, where the curves are lower
                "y": math.log10(y) if axes.log else y,  # an annotation's y is an exponent here
                "xanchor": "right",
                "yanchor": "bottom",
                "showarrow": False,
            }
        ],
    }


def _layout(extent: Extent, axes: Axes, run_id: str, size: float) -> Chart:
    """Return the axes, the legend and the margins."""
    end = extent.on(axes.x)
    layout: Chart = {
        "height": round(420 * (1 + (size - 1) / 2)),
        "font": {"size": 12 * size},
        "margin": {"l": 55 * size, "r": 15, "t": 60 * size, "b": 50 * size},
        "hovermode": "x unified",
        "uirevision": f"{run_id} {axes}",
        "legend": {"orientation": "h", "x": 0, "y": -0.23, "yanchor": "top"},  # widens the margin
        "xaxis": {
            "title": {"text": AXES[axes.x], "standoff": 8},
            "rangemode": "tozero",
            "hoverformat": ".2f",
        },
        "yaxis": {
            "title": {"text": "Perplexity" if axes.perplexity else "Loss"},
            "rangemode": "nonnegative",  # from 0 only if the losses come near it
            "zeroline": False,
            **log_scale(axes),
        },
    }
    if end is not None:
        layout["xaxis"]["range"] = [0, max(end, 1) * 1.01]
    if axes.x not in ("epochs", "global_step"):
        return layout
    # The upper axis is the lower one, labelled in tokens: both zoom together.
    ticks = [extent.num_epochs * i / 4 for i in range(5)]
    on_steps = extent.total_steps / extent.num_epochs  # the first step is number 0
    places = ticks if axes.x == "epochs" else [max(0.0, t * on_steps - 1) for t in ticks]
    layout["xaxis2"] = {
        "title": {"text": "Tokens seen", "standoff": 6},
        "overlaying": "x",
        "side": "top",
        "matches": "x",
        "tickvals": places,
        "ticktext": [f"{epochs * extent.tokens_per_epoch:,.0f}" for epochs in ticks],
        "showgrid": False,
        "zeroline": False,
    }
    return layout


def describe_losses(evaluations: pd.DataFrame) -> str:
    """Describe the loss chart for screen readers."""
    if evaluations.empty:
        return "Training and validation loss: no evaluation yet."
    last = evaluations.iloc[-1]
    return (
        f"Training and validation loss, {count(len(evaluations), 'evaluation')}. The last, "
        f"after {last['epochs']:.2f} epochs: {last['train_loss']:.3f} and {last['val_loss']:.3f}."
    )

"""Training and validation loss in one chart: a pure function, no Streamlit."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from dashboard.charts.axes import AXES, Axes, Extent, log_scale
from dashboard.charts.figure import Chart, kept_points
from dashboard.charts.palette import MEASURED, TRAINING, VALIDATION
from gpt_core.store import Baselines
from gpt_core.system import count

MARGIN = 2.0  # if all losses are further below a uniform guess's, it is not marked
PUBLISHED_MARKERS = ("cross-thin-open", "x-thin-open", "asterisk-open")


@dataclass(frozen=True)
class LossCurves:
    """The data of a loss chart."""

    evaluations: pd.DataFrame  # one row each, with the columns of AXES and both losses
    steps: pd.DataFrame | None = None  # one row per step, with the loss of its batch
    published: Mapping[str, pd.DataFrame] = field(default_factory=dict)  # published losses, by name
    baselines: Baselines | None = None  # losses that are marked


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
        axes: the x-axis, what is drawn, and a linear or logarithmic scale.
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
    levels = _levels(curves, vocab_size, axes)
    layout |= _mark(levels, axes, size)
    if any(level.is_floor for level in levels):
        lines.append(_room_for(levels[-1].y))
    if "xaxis2" in layout:
        upper = {"x": [0], "y": [None], "xaxis": "x2", "showlegend": False, "hoverinfo": "skip"}
        lines.append(upper)
    return {"data": [{"type": "scatter", **line} for line in lines], "layout": layout}


def _highest(curves: LossCurves, axes: Axes) -> float:
    """Return the highest value that is drawn; infinity if there is none yet."""
    frames = [(curves.evaluations, axes.column("train")), (curves.evaluations, axes.column("val"))]
    if curves.steps is not None and not axes.bits:
        frames.append((curves.steps, "loss"))
    highest = [float(frame[column].max()) for frame, column in frames if len(frame)]
    return max(filter(math.isfinite, highest), default=math.inf)


def _points(frame: pd.DataFrame, column: str, axes: Axes) -> Chart:
    """Return the coordinates of a line's points and the format of their values."""
    return {
        "x": frame[axes.x].to_numpy(np.float32),
        "y": axes.height(frame[column].to_numpy(np.float32)),
        "hovertemplate": f"%{{y:{axes.number_format}}}",
    }


def _evaluation_lines(evaluations: pd.DataFrame, axes: Axes, size: float) -> list[Chart]:
    """Return the curves of training and validation loss."""
    lines = []
    for split, name, color, dash in (
        ("train", "Training", TRAINING, "solid"),
        ("val", "Validation", VALIDATION, "dash"),
    ):
        column = axes.column(split)
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
    """Return the loss of each step's batch as a faint line in the background, if given.

    Its bits per byte are not measured.
    """
    if steps is None or steps.empty or axes.bits:
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
    """Return published losses, drawn under the curves; their bits per byte are not known."""
    if axes.bits:
        return []
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
    column = axes.column("val")
    measured = evaluations[evaluations[column].notna()] if len(evaluations) else evaluations
    if measured.empty:
        return []
    best = measured.iloc[[int(measured[column].to_numpy().argmin())]]
    return [
        {
            **_points(best, column, axes),
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


@dataclass(frozen=True)
class Level:
    """A loss that is marked by a line across the chart, as high as it is drawn."""

    y: float
    label: str
    is_below: bool = False  # whether the label is below the line
    is_floor: bool = False


def _levels(curves: LossCurves, vocab_size: int | None, axes: Axes) -> list[Level]:
    """Return what the losses are compared with, the highest first.

    A uniform guess and the baselines are left out if all losses are (far) below them.
    """
    known = curves.baselines
    if axes.bits and known is None:
        return []
    nats_per_unit = math.log(2) * known.bytes_per_token if known and axes.bits else 1.0
    highest = _highest(curves, axes) * nats_per_unit

    def level(nats: float, label: str, **where: bool) -> Level:
        y = math.exp(nats) if axes.perplexity else nats / nats_per_unit
        return Level(y, label.format(f"{y:{axes.number_format}}"), **where)

    levels = []
    if vocab_size and highest >= math.log(vocab_size) - MARGIN:
        number = "" if axes.perplexity else ": {}"
        levels.append(level(math.log(vocab_size), f"a guess among {vocab_size:,}{number}"))
    if known and highest >= known.unigram:
        levels.append(level(known.unigram, "unigram: {}"))
    if known and known.has_useful_bigram and highest >= known.bigram:
        # Its label is below the line, apart from the unigram's.
        levels.append(level(known.bigram, "bigram: {}", is_below=True))
    if known and known.floor and known.entropy:
        by_formula = level(known.entropy, "{}").label
        levels.append(level(known.floor, f"floor: {{}} (by formula {by_formula})", is_floor=True))
    return levels


def _mark(levels: Sequence[Level], axes: Axes, size: float) -> Chart:
    """Mark levels by dotted lines, each with its label at its end."""
    across = {"xref": "x domain", "yref": "y"}
    return {
        "shapes": [
            {
                **across,
                "type": "line",
                **{"x0": 0, "x1": 1, "y0": level.y, "y1": level.y},
                "line": {"color": MEASURED, "width": 1, "dash": "dot"},
            }
            for level in levels
        ],
        "annotations": [
            {
                **across,
                "text": level.label,
                "font": {"size": 12 * size, "color": MEASURED},
                # At the end, where the curves are lower; the floor's, where they are higher.
                "x": 0 if level.is_floor else 1,
                # An annotation's y is an exponent here.
                "y": math.log10(level.y) if axes.log else level.y,
                "xanchor": "left" if level.is_floor else "right",
                "yanchor": "top" if level.is_below else "bottom",
                "showarrow": False,
            }
            for level in levels
        ],
    }


def _room_for(y: float) -> Chart:
    """Return an invisible point, so that the axis, which follows the data, extends to a level."""
    return {
        "x": [0],
        "y": [y],
        "mode": "markers",
        "marker": {"opacity": 0},
        "showlegend": False,
        "hoverinfo": "skip",
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
            "title": {"text": axes.title},
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

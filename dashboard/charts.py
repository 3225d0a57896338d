"""DataFrames → plotly figures: pure functions, no streamlit. Live and still charts share them."""

import base64
import html
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.palette import MEASURED, TRAINING, VALIDATION

# A plotly figure as plain data. What is drawn anew each second is made so: plotly's own objects
# take ten times as long.
Chart = dict[str, Any]

MOST_POINTS = 600  # of a line: about as many as a screen can tell apart
AXES = {
    "epochs": "Epochs",
    "global_step": "Step",
    "tokens_seen": "Tokens seen",
    "minutes": "Minutes of training",
}
PUBLISHED_MARKERS = ("cross-thin-open", "x-thin-open", "asterisk-open")


@dataclass(frozen=True)
class Axes:
    """What losses are drawn against, and how."""

    x: str = "epochs"  # a column of the frames, one of AXES
    perplexity: bool = False
    log: bool = False


@dataclass(frozen=True)
class Extent:
    """How far a whole run goes."""

    num_epochs: int
    total_steps: int
    tokens_per_epoch: int

    def on(self, x: str) -> float | None:
        """Return where the run ends on an axis; None where nobody knows."""
        ends = {
            "epochs": self.num_epochs,
            "global_step": self.total_steps - 1,
            "tokens_seen": self.num_epochs * self.tokens_per_epoch,
        }
        return ends.get(x)


def loss_chart(
    evaluations: pd.DataFrame,
    extent: Extent,
    run_id: str,
    steps: pd.DataFrame | None = None,
    axes: Axes = Axes(),
    vocab_size: int | None = None,
    published: Mapping[str, pd.DataFrame] | None = None,
    size: float = 1.0,
) -> Chart:
    """Draw training and validation loss; against epochs or steps, tokens seen along the top.

    Args:
        evaluations: a row each, with the columns of :data:`AXES` and both losses.
        extent: how far the whole run goes.
        run_id: whose curve it is; zoom is kept as long as this and the axes stay.
        steps: a row for each step with its batch's own loss, drawn faintly behind.
        axes: what it is drawn against, as loss or perplexity, on a linear or logarithmic scale.
        vocab_size: marks the loss of a guess that finds all tokens equally likely.
        published: losses that others have published, by name, laid under the curve.
        size: of type and lines, for a projector.

    Source: the chapter's figure of the two losses, with its second axis.
    """
    height = np.exp if axes.perplexity else np.asarray
    when = "(step %{customdata[0]:,}, %{customdata[1]:,} tokens)"
    shown = ".1f" if axes.perplexity else ".3f"
    width = 2.5 * size
    lines = []
    for column, name, color, dash in (
        ("train_loss", "Training", TRAINING, "solid"),
        ("val_loss", "Validation", VALIDATION, "dash"),
    ):
        drawn = evaluations.iloc[kept_points(evaluations[column].to_numpy())]
        lines.append(
            {
                "x": drawn[axes.x].to_numpy(np.float32),
                "y": height(drawn[column].to_numpy(np.float32)),
                "customdata": drawn[["global_step", "tokens_seen"]].to_numpy(np.float32),
                "name": name,
                "mode": "lines+markers" if len(drawn) <= 80 else "lines",
                "line": {"color": color, "width": width, "dash": dash},
                "marker": {"size": 5 * size},
                "hovertemplate": f"%{{y:{shown}}} {when}",
                "zorder": 2,
            }
        )
    if steps is not None and len(steps):
        drawn = steps.iloc[kept_points(steps["loss"].to_numpy())]
        lines.append(
            {
                "x": drawn[axes.x].to_numpy(np.float32),
                "y": height(drawn["loss"].to_numpy(np.float32)),
                "name": "Each batch",
                "mode": "lines",
                "line": {"color": TRAINING, "width": size},
                "opacity": 0.35,
                "hovertemplate": f"%{{y:{shown}}}",
                "zorder": 0,
            }
        )
    for (name, frame), symbol in zip((published or {}).items(), PUBLISHED_MARKERS, strict=False):
        for column, split, color in (
            ("train_loss", "training", TRAINING),
            ("val_loss", "validation", VALIDATION),
        ):
            edge = {"color": color, "width": 1.5}
            lines.append(
                {
                    "x": frame[axes.x].to_numpy(np.float32),
                    "y": height(frame[column].to_numpy(np.float32)),
                    "name": f"{name}: {split}",
                    "mode": "markers+lines",
                    "line": {"color": color, "width": 1, "dash": "dot"},
                    "marker": {"symbol": symbol, "size": 8 * size, "line": edge},
                    "hovertemplate": f"%{{y:{shown}}}",
                    "zorder": 1,
                }
            )
    if len(evaluations):
        lowest = int(evaluations["val_loss"].to_numpy().argmin())
        lines.append(_best(evaluations.iloc[[lowest]], axes, height, size))
    layout = _layout(extent, axes, run_id, size)
    if vocab_size:
        layout |= _mark_uniform(vocab_size, axes, size)
    if "xaxis2" in layout:
        upper = {"x": [0], "y": [None], "xaxis": "x2", "showlegend": False, "hoverinfo": "skip"}
        lines.append(upper)
    return {"data": [{"type": "scatter", **line} for line in lines], "layout": layout}


def to_json(chart: Chart) -> str:
    """Return a chart as JSON, its numbers as plotly.js takes them up fastest: base64."""
    return json.dumps(chart, default=_typed_array, separators=(",", ":"))


def _typed_array(numbers: npt.NDArray[np.float32]) -> dict[str, str]:
    shape = {"shape": ", ".join(map(str, numbers.shape))} if numbers.ndim > 1 else {}
    whole = np.ascontiguousarray(numbers, np.float32)
    return {"dtype": "f4", "bdata": base64.b64encode(whole.tobytes()).decode(), **shape}


def _best(best: pd.DataFrame, axes: Axes, height: Callable[..., Any], size: float) -> Chart:
    """Mark the lowest validation loss."""
    return {
        "x": best[axes.x].to_numpy(np.float32),
        "y": height(best["val_loss"].to_numpy(np.float32)),
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


def _mark_uniform(vocab_size: int, axes: Axes, size: float) -> Chart:
    """Mark the loss of a guess among all tokens, as from a model that knows nothing."""
    y = vocab_size if axes.perplexity else math.log(vocab_size)
    number = "" if axes.perplexity else f"{y:.3f}"
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
                "text": f"a guess among {vocab_size:,}: {number}",
                "font": {"size": 12 * size, "color": MEASURED},
                "x": 0,
                "y": math.log10(y) if axes.log else y,  # a place, unlike a line, is in exponents
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
            }
        ],
    }


def _layout(extent: Extent, axes: Axes, run_id: str, size: float) -> Chart:
    """Return the axes and all that stands around the lines."""
    end = extent.on(axes.x)
    layout: Chart = {
        "height": round(420 * (1 + (size - 1) / 2)),
        "font": {"size": 12 * size},
        "margin": {"l": 55 * size, "r": 15, "t": 60 * size, "b": 80 * size},
        "hovermode": "x unified",
        "uirevision": f"{run_id} {axes}",
        "legend": {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
        "xaxis": {"title": {"text": AXES[axes.x]}, "rangemode": "tozero", "hoverformat": ".2f"},
        "yaxis": {
            "title": {"text": "Perplexity" if axes.perplexity else "Loss"},
            "rangemode": "tozero",
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
    on_steps = extent.total_steps / extent.num_epochs  # a step's label is one less than its count
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


def log_scale(axes: Axes) -> Chart:
    """Return what makes an axis of losses logarithmic, if it is to be."""
    ticks = {"dtick": "D2"} if axes.perplexity else {}
    return {"type": "log", **ticks} if axes.log else {}


@dataclass(frozen=True)
class Panel:
    """One small chart: its title and its line."""

    title: str
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    color: str = MEASURED
    format: str = "~g"  # of its numbers, in d3's language


def small_charts(panels: Sequence[Panel], x_title: str, run_id: str, columns: int = 2) -> go.Figure:
    """Draw small charts beside and below each other, with one x-axis in common."""
    rows = -(-len(panels) // columns)
    figure = make_subplots(
        rows, columns, subplot_titles=[p.title for p in panels], vertical_spacing=0.3 / rows
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


def part_bars(values: Mapping[str, float], title: str) -> go.Figure:
    """Draw one number for each part of a model as horizontal bars, in the model's order."""
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


def describe_losses(evaluations: pd.DataFrame) -> str:
    """Say in a sentence what the chart of the losses shows, for those who cannot see it."""
    if evaluations.empty:
        return "Training and validation loss: no evaluation yet."
    last = evaluations.iloc[-1]
    return (
        f"Training and validation loss, {len(evaluations)} evaluations. The last, "
        f"after {last['epochs']:.2f} epochs: {last['train_loss']:.3f} and {last['val_loss']:.3f}."
    )


def kept_points(y: npt.NDArray[np.float64], most: int = MOST_POINTS) -> npt.NDArray[np.intp]:
    """Return which points of a line to draw: about ``most``, spikes kept.

    Of each bucket the lowest and the highest. Buckets are counted from the start and their size
    is a power of two, so that a longer line keeps points that were drawn before, or leaves some
    out, but moves none. What fills no whole bucket yet goes into smaller ones.
    """
    size = 1
    while len(y) > most * size / 2:
        size *= 2
    if len(y) <= most:
        size = 1
    whole = len(y) // size * size
    buckets = y[:whole].reshape(-1, size)  # (buckets, size)
    starts = np.arange(0, whole, size)
    ends = [0, len(y) - 1] if len(y) else []
    rest = kept_points(y[whole:], most) if 0 < whole < len(y) else np.arange(0)
    return np.unique(
        np.concatenate(
            [
                starts + buckets.argmin(axis=1),
                starts + buckets.argmax(axis=1),
                whole + rest,
                np.array(ends, dtype=np.intp),
            ]
        ).astype(np.intp)
    )


def plain(text: str) -> str:
    """Return a text that plotly shows as it is: it would take tags in it for markup."""
    return html.escape(text, quote=False)


def labels(texts: Sequence[str]) -> dict[str, Any]:
    """Return an axis's labels, one at each whole number: equal ones stay apart."""
    return {"tickvals": list(range(len(texts))), "ticktext": [plain(text) for text in texts]}

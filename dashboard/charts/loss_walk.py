"""The figures of the steps from logits to the loss: pure functions, no Streamlit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.figure import labels, plain
from dashboard.charts.palette import PREDICTED, TARGET, VALIDATION

DASHES = ("solid", "dash", "dot", "dashdot")
NEUTRAL = "#8a938f"
MAX_NUMBERED = 12  # bars that have room for their numbers
SHADES = (TARGET, "#7cc9a8", "#0e6b47", NEUTRAL)  # with the dashes, sixteen lines


def logits_heatmap(
    logits: Sequence[Sequence[float]], positions: Sequence[str], tokens: Sequence[str]
) -> go.Figure:
    """Draw a slice of the logits: one row per position, one column per chosen token."""
    figure = go.Figure()
    figure.add_heatmap(
        z=np.array(logits),
        x=list(range(len(tokens))),
        y=list(range(len(positions))),
        text=[[f"{value:.1f}" for value in row] for row in logits],
        texttemplate="%{text}",
        colorscale=tint(PREDICTED),
        showscale=False,
        xgap=2,
        ygap=2,
        hovertemplate="%{text}<extra></extra>",
    )
    bare = {"showgrid": False, "zeroline": False, "ticklabeloverflow": "allow"}
    figure.update_layout(
        **_frame(110 + 34 * len(positions), left=20, right=45, top=85),
        xaxis={"side": "top", "tickangle": -45, **bare, **labels(tokens)},
        yaxis={"autorange": "reversed", "automargin": True, **bare, **labels(positions)},
    )
    return figure


def candidates_bars(
    tokens: Sequence[str], probas: Sequence[float], target: int, argmax: int = 0
) -> go.Figure:
    """Draw the most probable tokens at one position as bars, with target and argmax marked."""
    colors = [NEUTRAL] * len(tokens)
    colors[argmax] = PREDICTED
    names = [plain(token) for token in tokens]
    names[argmax] = f"{names[argmax]} (argmax)"
    if 0 <= target < len(tokens):
        colors[target] = TARGET
        names[target] = f"{names[target]} (target)"
    figure = go.Figure()
    figure.add_bar(
        y=names,
        x=list(probas),
        orientation="h",
        marker={"color": colors},
        text=[f"{proba:.2e}" if proba < 0.001 else f"{proba:.3f}" for proba in probas],
        textposition="auto",
        hoverinfo="skip",
    )
    figure.update_layout(
        **_frame(70 + 27 * len(tokens), left=20, bottom=40),
        xaxis={"title": "Probability", "rangemode": "tozero", "nticks": 4, "tickformat": ".2~g"},
        yaxis={"autorange": "reversed", "showgrid": False, "automargin": True, "type": "category"},
        bargap=0.25,
    )
    return figure


def log_bars(names: Sequence[str], logs: Sequence[float], mean: float | None = None) -> go.Figure:
    """Draw log p at each position: with its number or, if given, with the mean as a line.

    The line would cross the numbers.
    """
    numbered = mean is None and len(logs) <= MAX_NUMBERED
    figure = go.Figure()
    figure.add_bar(
        x=list(names),
        y=list(logs),
        marker={"color": TARGET},
        text=[f"{value:.2f}" for value in logs] if numbered else None,
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{x}: %{y:.4f}<extra></extra>",
    )
    if mean is not None:
        beside = {"xref": "paper", "x": 1, "xanchor": "left", "showarrow": False}
        figure.add_hline(mean, line={"color": VALIDATION, "width": 2, "dash": "dash"})
        figure.add_annotation(y=mean, text=f"mean<br>{mean:.4f}", **beside)
    figure.update_layout(
        **_frame(260, left=50, right=10 if mean is None else 70, bottom=40, top=25),
        xaxis={"type": "category", "side": "top", "showgrid": False, "zeroline": False},
        yaxis={"title": "log p", "rangemode": "tozero"},
    )
    return figure


def loss_scale(loss: float, uniform: float) -> go.Figure:
    """Draw the loss on a scale with certainty, 0, and a uniform guess, ln(vocab_size)."""
    figure = go.Figure()
    figure.add_scatter(
        x=[0, uniform, loss],
        y=[0, 0, 0],
        mode="markers+text",
        marker={"color": [NEUTRAL, NEUTRAL, TARGET], "size": [12, 12, 18], "symbol": [
            "line-ns-open", "line-ns-open", "diamond"]},
        text=["0: certain", f"{uniform:.3f}: a uniform guess", f"<b>{loss:.4f}</b>"],
        textposition=["bottom right", "bottom left", "top center"],
        hoverinfo="skip",
    )  # fmt: skip
    most = max(uniform, loss) * 1.08
    figure.update_layout(
        **_frame(130, left=15, bottom=35),
        showlegend=False,
        xaxis={"title": "Loss", "range": [-0.4, most], "zeroline": False, "fixedrange": True},
        yaxis={"visible": False, "range": [-1, 1], "fixedrange": True},
    )
    return figure


def binary_curves(proba: float, label: int) -> go.Figure:
    """Draw the binary loss against p for either right answer, and mark one p."""
    p = np.linspace(0.004, 0.996, 249)
    figure = go.Figure()
    for value, y, name, dash in (
        (1, -np.log(p), "right answer yes: −log p", "solid"),
        (0, -np.log(1 - p), "right answer no: −log(1 − p)", "dash"),
    ):
        color, width = (TARGET, 3) if value == label else (NEUTRAL, 2)
        figure.add_scatter(
            x=p,
            y=y,
            name=name,
            mode="lines",
            line={"color": color, "width": width, "dash": dash},
            hovertemplate="p %{x:.2f}: %{y:.3f}<extra></extra>",
        )
    loss = float(-np.log(proba if label else 1 - proba))
    figure.add_scatter(
        x=[proba],
        y=[loss],
        mode="markers+text",
        marker={"color": TARGET, "size": 14, "symbol": "diamond"},
        text=[f"<b>{loss:.3f}</b>"],
        textposition="middle right" if proba < 0.7 else "middle left",
        showlegend=False,
        hoverinfo="skip",
    )
    figure.update_layout(
        **_frame(320, left=50, bottom=45, top=40),
        legend={"orientation": "h", "x": 0, "y": 1.16},
        xaxis={"title": "p, the probability given to “yes”", "range": [0, 1], "zeroline": False},
        yaxis={"title": "Loss", "range": [0, 5.6], "zeroline": False},
    )
    return figure


def class_bars(names: Sequence[str], probas: Sequence[float], right: int) -> go.Figure:
    """Draw one probability per class, with the right class marked."""
    figure = go.Figure()
    figure.add_bar(
        x=[f"{name}<br>y = {int(i == right)}" for i, name in enumerate(names)],
        y=list(probas),
        marker={"color": [TARGET if i == right else NEUTRAL for i in range(len(names))]},
        text=[f"{proba:.2f}" for proba in probas],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure.update_layout(
        **_frame(320, left=50, bottom=60, top=40),
        xaxis={"type": "category", "showgrid": False},
        yaxis={"title": "Probability", "range": [0, 1.08]},
    )
    return figure


def probe_lines(frame: pd.DataFrame, step: int, run_id: str) -> go.Figure:
    """Draw the target probabilities of one probe over the steps, on a log scale.

    Args:
        frame: columns ``global_step``, ``name`` and ``proba``.
        step: the step to mark.
        run_id: the run; zoom is kept while this stays the same.
    """
    figure = go.Figure()
    for i, (name, line) in enumerate(frame.groupby("name", sort=False)):
        figure.add_scatter(
            x=line["global_step"].to_numpy(),
            y=line["proba"].to_numpy(),
            name=plain(str(name)),
            mode="lines",
            line={"color": SHADES[i // 4 % 4], "width": 2, "dash": DASHES[i % 4]},
            hovertemplate="%{y:.2e}",
        )
    figure.add_vline(step, line={"color": NEUTRAL, "width": 1})
    figure.update_layout(
        **_frame(360, left=60, bottom=45, top=25),
        hovermode="x unified",
        legend={"orientation": "h", "y": -0.22, "yanchor": "top"},
        xaxis={"title": "Step", "zeroline": False},
        yaxis={"title": "Probability", "type": "log", "exponentformat": "power"},
    )
    figure.update_layout(uirevision=run_id)
    return figure


def _frame(
    height: int, left: int, right: int = 10, top: int = 10, bottom: int = 10
) -> dict[str, Any]:
    """Return the layout that these figures share."""
    margin = {"l": left, "r": right, "t": top, "b": bottom}
    return {"template": "none", "height": height, "margin": margin, "uirevision": "walk"}


def tint(color: str) -> list[list[float | str]]:
    """Return a colour scale from transparent to about half opaque, for light and dark pages."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return [
        [fraction, f"rgba({red},{green},{blue},{fraction * 0.55:.2f})"] for fraction in (0.0, 1.0)
    ]

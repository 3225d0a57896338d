"""What forms inside a model: attention, logit lens, head scores, and how its parts learn."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from dashboard.charts.figure import Chart, labels, plain
from dashboard.charts.formatting import format_probability
from dashboard.charts.loss_walk import NEUTRAL, tint
from dashboard.charts.palette import ATTENTION, MEASURED, PREDICTED, RUNS, TARGET, VALIDATION
from gpt_core.records import Bins

Numbers = npt.NDArray[np.float64]
CELL = 34  # pixels: the height of a row of tokens
BARE = {"showgrid": False, "zeroline": False, "fixedrange": True}
NAMED_HEADS = 3  # heads with a colour and a name; the others are faint


def attention_map(weights: Numbers, tokens: Sequence[str]) -> Chart:
    """Draw a head's attention weights (T, T): a row for each token, what it looks at in columns."""
    seen = np.where(np.tri(len(tokens), dtype=bool), weights, np.nan)
    return {
        "data": [
            {
                "type": "heatmap",
                "z": seen,
                "zmin": 0,
                "zmax": 1,
                "colorscale": tint(ATTENTION),
                "showscale": False,
                **{"xgap": 1, "ygap": 1},
                "text": [
                    [f"“{plain(reader)}” looks at “{plain(seen)}”" for seen in tokens]
                    for reader in tokens
                ],
                "hovertemplate": "%{text}: %{z:.2f}<extra></extra>",
            }
        ],
        "layout": _token_grid(tokens, tokens, "attention"),
    }


def lens_map(
    best: Sequence[Sequence[str]], probas: Numbers, tokens: Sequence[str], layers: Sequence[str]
) -> Chart:
    """Draw the best token after each block at each position, coloured by the target's p.

    Args:
        best: the best tokens, a row for each layer.
        probas: the target's probability, (n_layers, T).
        tokens: what is read, (T,).
        layers: the layers' names.
    """
    grid = _token_grid(tokens, layers, "lens")
    grid["yaxis"] |= {"autorange": True}  # the last block on top, as in the architecture
    return {
        "data": [
            {
                "type": "heatmap",
                "z": probas,
                "zmin": 0,
                "zmax": 1,
                "text": [[plain(token) for token in row] for row in best],
                "texttemplate": "%{text}",
                "customdata": [[format_probability(p) for p in row] for row in probas.tolist()],
                "colorscale": tint(TARGET),
                "showscale": False,
                **{"xgap": 2, "ygap": 2},
                "hovertemplate": "best “%{text}”, p of the target %{customdata}<extra></extra>",
            }
        ],
        "layout": grid,
    }


def score_lines(
    steps: Numbers, scores: Numbers, losses: tuple[Numbers, Numbers], at: int, run_id: str
) -> Chart:
    """Draw a score of all heads over the steps and, above it, the validation loss.

    Args:
        steps: those that were recorded, (R,).
        scores: of each head, 0 to 1, (R, n_layers, n_heads).
        losses: the steps of the evaluations and their validation loss.
        at: the step to mark.
        run_id: the run; zoom is kept while this stays the same.
    """
    heads = [(layer, head) for layer in range(scores.shape[1]) for head in range(scores.shape[2])]
    highest = sorted(heads, key=lambda place: -float(scores[:, *place].max()))[:NAMED_HEADS]
    lines = [
        {
            "x": steps,
            "y": scores[:, layer, head],
            "name": f"head {layer}.{head}",
            "showlegend": False,
            "mode": "lines",
            "line": {"color": MEASURED, "width": 1},
            "opacity": 0.45,
            "hoverinfo": "skip",
        }
        for layer, head in heads
        if (layer, head) not in highest
    ]
    lines += [
        {
            "x": steps,
            "y": scores[:, layer, head],
            "name": f"head {layer}.{head}",
            "mode": "lines+markers",
            "line": {"color": color, "width": 2.5},
            "marker": {"size": 5},
            "hovertemplate": "%{y:.2f}",
        }
        for (layer, head), color in zip(highest, (PREDICTED, RUNS[0], TARGET), strict=False)
    ]
    layout = _over_steps(430, at, run_id)
    layout["yaxis"] = {"title": {"text": "Score"}, "range": [0, 1]}
    if len(losses[0]):  # an axis without a line would have no place
        lines.append(
            {
                "x": losses[0],
                "y": losses[1],
                "yaxis": "y2",
                "name": "validation loss",
                "mode": "lines",
                "line": {"color": VALIDATION, "width": 2, "dash": "dash"},
                "hovertemplate": "%{y:.3f}",
            }
        )
        layout["yaxis"] |= {"domain": [0, 0.55]}
        layout["yaxis2"] = {
            "title": {"text": "Loss"},
            "domain": [0.62, 1],
            "zeroline": False,
            "anchor": "x",
        }
    return {"data": lines, "layout": layout}


def update_lines(
    steps: Numbers,
    ratios: Mapping[str, Numbers],
    healthy: tuple[float, float],
    at: int,
    run_id: str,
) -> Chart:
    """Draw each part's update, divided by its weights, and the band that is healthy.

    Args:
        steps: those that were recorded, (R,).
        ratios: of each part, (R,); NaN where it is not known.
        healthy: the ends of the band.
        at: the step to mark.
        run_id: the run; zoom is kept while this stays the same.
    """
    kinds = (("att", ATTENTION), ("ff", TARGET), ("emb", RUNS[0]), ("head", VALIDATION))
    lines = []
    for name, values in ratios.items():
        color = next((c for kind, c in kinds if name.endswith(kind)), MEASURED)
        lines.append(
            {
                "x": steps,
                "y": values,
                "name": name,
                "mode": "lines",
                "line": {"color": color, "width": 1.75},
                "hovertemplate": "%{y:.1e}",
            }
        )
    layout = _over_steps(360, at, run_id)
    layout["yaxis"] = {
        "title": {"text": "Update / weights", "standoff": 4},
        "type": "log",
        "exponentformat": "power",
    }
    layout["shapes"].append(
        {
            "type": "rect",
            **{"xref": "paper", "x0": 0, "x1": 1, "y0": healthy[0], "y1": healthy[1]},
            "fillcolor": TARGET,
            "opacity": 0.12,
            "line": {"width": 0},
            "layer": "below",
        }
    )
    return {"data": lines, "layout": layout}


def ridgelines(rows: Sequence[tuple[str, Bins, float]], key: str) -> Chart:
    """Draw histograms as ridges, one above the other, the first on top.

    Args:
        rows: of each its name, its histogram, and the value at the right end of its axis, which
            its own values are divided by.
        key: of the chart; zoom is kept while this stays the same.
    """
    lines: list[Chart] = []
    for place, (name, bins, scale) in enumerate(reversed(rows)):
        counts = np.sqrt(np.array(bins.counts, float))  # so that few values can be seen, too
        middles = np.linspace(bins.low, bins.high, 2 * len(counts) + 1)[1::2] / (scale or 1.0)
        height = place + 1.5 * counts / max(counts.max(), 1)
        ground = {"mode": "lines", "showlegend": False, "hoverinfo": "skip"}
        lines.insert(
            0,
            {
                "x": np.array([middles[0], *middles, middles[-1]]),
                "y": np.array([place, *height, place]),
                **ground,
                "fill": "toself",
                "fillcolor": _faint(MEASURED),
                "line": {"color": MEASURED, "width": 1.25},
                "name": plain(name),
            },
        )
    names = [f"{name} ±{scale:.1g}" for name, _, scale in reversed(rows)]
    layout = {
        "height": 60 + 26 * (len(rows) + 1),
        "margin": {"l": 20, "r": 15, "t": 10, "b": 30},
        "uirevision": key,
        "xaxis": {**BARE, "range": [-1.02, 1.02], "tickvals": [-1, 0, 1], "zeroline": True},
        "yaxis": {**BARE, "automargin": True, "range": [-0.2, len(rows) + 0.8], **labels(names)},
    }
    return {"data": lines[::-1], "layout": layout}


def _over_steps(height: int, at: int, run_id: str) -> Chart:
    """Return the layout of lines over a run's steps, with one step marked."""
    mark = {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1}
    return {
        "height": height,
        "margin": {"l": 68, "r": 15, "t": 10, "b": 45},
        "hovermode": "x unified",
        "uirevision": run_id,
        "legend": {"orientation": "h", "x": 0, "y": -0.16, "yanchor": "top"},
        "shapes": [{**mark, "line": {"color": NEUTRAL, "width": 1}}],
        "xaxis": {
            "title": {"text": "Step", "standoff": 8},
            "rangemode": "tozero",
            "zeroline": False,
        },
    }


def _token_grid(columns: Sequence[str], rows: Sequence[str], key: str) -> Chart:
    """Return the layout of a grid with tokens along the top."""
    return {
        "height": 80 + CELL * len(rows),
        "margin": {"l": 20, "r": 15, "t": 70, "b": 10},
        "uirevision": key,
        "xaxis": {"side": "top", "tickangle": -45, **BARE, **labels(columns)},
        "yaxis": {"autorange": "reversed", "automargin": True, **BARE, **labels(rows)},
    }


def _faint(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.25)"

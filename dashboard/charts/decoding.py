"""The figures of how the next token is chosen: pure functions, no Streamlit."""

from collections.abc import Sequence

import plotly.graph_objects as go

from dashboard.charts.figure import labels
from dashboard.charts.palette import MEASURED, PREDICTED


def word_bars(words: Sequence[str], before: Sequence[float], after: Sequence[float]) -> go.Figure:
    """Draw the probabilities of a few words before and after decoding settings.

    Args:
        words: the vocabulary.
        before: the model's own probabilities, one per word.
        after: the probabilities after temperature, top-k and top-p.
    """
    figure = go.Figure()
    for name, values, color in (
        ("The model's own", before, MEASURED),
        ("Drawn from", after, PREDICTED),
    ):
        figure.add_bar(
            x=list(words),
            y=list(values),
            name=name,
            marker={"color": color},
            hovertemplate="%{x}: %{y:.4f}",
        )
    figure.update_layout(
        template="none",
        height=340,
        barmode="group",
        margin={"l": 50, "r": 15, "t": 10, "b": 40},
        yaxis={"title": "Probability", "range": [0, 1]},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        uirevision="nine words",
    )
    return figure


def choice_bars(
    tokens: Sequence[str], before: Sequence[float], after: Sequence[float], chosen: int
) -> go.Figure:
    """Draw the candidates for a token: their probabilities before and after decoding settings.

    Args:
        tokens: the candidates, the most probable first.
        before: the model's own probabilities, one per candidate.
        after: the probabilities after temperature, top-k and top-p.
        chosen: the index of the candidate that was chosen.
    """
    names = [f"→ {token}" if i == chosen else token for i, token in enumerate(tokens)]
    figure = go.Figure()
    for name, values, color in (
        ("The model's own", before, MEASURED),
        ("Drawn from", after, PREDICTED),
    ):
        figure.add_bar(
            y=list(range(len(tokens))),
            x=list(values),
            name=name,
            orientation="h",
            marker={"color": color},
            hovertemplate="%{x:.4~g}",
        )
    figure.update_layout(
        template="none",
        height=90 + 32 * len(tokens),
        margin={"l": 120, "r": 15, "t": 10, "b": 40},
        xaxis={"title": "Probability", "rangemode": "tozero"},
        yaxis={"autorange": "reversed", **labels(names)},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        bargap=0.25,
    )
    return figure

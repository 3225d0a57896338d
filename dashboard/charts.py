"""DataFrames → plotly figures: pure functions, no streamlit. Live and still charts share them."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from dashboard.palette import TRAINING, VALIDATION

MOST_POINTS = 1000  # of a line: more than a screen has columns


def loss_chart(
    evaluations: pd.DataFrame, num_epochs: int, tokens_per_epoch: int, run_id: str
) -> go.Figure:
    """Draw training and validation loss against epochs, with tokens seen along the top.

    Source: the chapter's figure of the two losses, with its second axis.
    """
    figure = go.Figure()
    for column, name, color, dash in (
        ("train_loss", "Training", TRAINING, "solid"),
        ("val_loss", "Validation", VALIDATION, "dash"),
    ):
        drawn = evaluations.iloc[kept_points(evaluations[column].to_numpy())]
        figure.add_scatter(
            x=drawn["epochs"].to_numpy(),
            y=drawn[column].to_numpy(),
            customdata=drawn[["global_step", "tokens_seen"]].to_numpy(),
            name=name,
            mode="lines+markers",
            line={"color": color, "width": 2.5, "dash": dash},
            marker={"size": 5},
            hovertemplate="%{y:.3f} (step %{customdata[0]:,}, %{customdata[1]:,} tokens)",
        )
    # The upper axis is the lower one, labelled in tokens: both zoom together.
    figure.add_scatter(x=[0], y=[None], xaxis="x2", showlegend=False, hoverinfo="skip")
    ticks = [num_epochs * i / 4 for i in range(5)]
    figure.update_layout(
        template="none",
        height=420,
        margin={"l": 55, "r": 15, "t": 60, "b": 50},
        hovermode="x unified",
        uirevision=run_id,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "top"},
        xaxis={"title": "Epochs", "range": [0, num_epochs * 1.01], "hoverformat": ".2f"},
        xaxis2={
            "title": {"text": "Tokens seen", "standoff": 6},
            "overlaying": "x",
            "side": "top",
            "matches": "x",
            "tickvals": ticks,
            "ticktext": [f"{epochs * tokens_per_epoch:,.0f}" for epochs in ticks],
            "showgrid": False,
            "zeroline": False,
        },
        yaxis={"title": "Loss", "rangemode": "tozero", "zeroline": False},
    )
    return figure


def describe_losses(evaluations: pd.DataFrame) -> str:
    """Say in a sentence what the chart of the losses shows, for those who cannot see it."""
    if evaluations.empty:
        return "Training and validation loss: no evaluation yet."
    last = evaluations.iloc[-1]
    return (
        f"Training and validation loss against epochs, {len(evaluations)} evaluations. The last, "
        f"after {last['epochs']:.2f} epochs: {last['train_loss']:.3f} and {last['val_loss']:.3f}."
    )


def kept_points(y: npt.NDArray[np.float64], most: int = MOST_POINTS) -> npt.NDArray[np.intp]:
    """Return which points of a line to draw: about ``most``, spikes kept.

    Of each bucket the lowest and the highest. Buckets are counted from the start and their size
    is a power of two, so that a longer line keeps points that were drawn before, or leaves some
    out, but moves none. What fills no whole bucket yet is drawn point by point.
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
    return np.unique(
        np.concatenate(
            [
                starts + buckets.argmin(axis=1),
                starts + buckets.argmax(axis=1),
                np.arange(whole, len(y)),
                np.array(ends, dtype=np.intp),
            ]
        ).astype(np.intp)
    )

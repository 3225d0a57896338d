"""DataFrames → plotly figures: pure functions, no streamlit.

One palette in all charts, chosen to be told apart by colour-blind eyes and to be read on a
light and on a dark page; the same colour always means the same thing.
"""

import pandas as pd
import plotly.graph_objects as go

TRAINING = "#2f7fc8"
VALIDATION = "#d9691e"


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
        figure.add_scatter(
            x=evaluations["epochs"].to_numpy(),
            y=evaluations[column].to_numpy(),
            customdata=evaluations[["global_step", "tokens_seen"]].to_numpy(),
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
        height=420,
        margin={"l": 10, "r": 10, "t": 70, "b": 10},
        hovermode="x unified",
        uirevision=run_id,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "top"},
        xaxis={"title": "Epochs", "range": [0, num_epochs * 1.01], "hoverformat": ".2f"},
        xaxis2={
            "title": "Tokens seen",
            "overlaying": "x",
            "side": "top",
            "matches": "x",
            "tickvals": ticks,
            "ticktext": [f"{epochs * tokens_per_epoch:,.0f}" for epochs in ticks],
            "showgrid": False,
        },
        yaxis={"title": "Loss", "rangemode": "tozero"},
    )
    return figure

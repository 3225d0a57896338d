"""The chosen runs side by side: their curves, and the settings in which they differ."""

from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.app import fragment, get_visible_runs, session_keys
from dashboard.charts import (
    RUNS,
    Curve,
    comparison_chart,
    describe_comparison,
    numbers_frame,
    to_json,
)
from dashboard.components.live_chart import live_chart
from dashboard.forms import BITS_PER_BYTE, choose_axes
from gpt_core.analysis import differing_settings
from gpt_core.store import Run, RunSummary

LINES = {
    "Validation": ("val_loss",),
    "Training": ("train_loss",),
    "Both": ("train_loss", "val_loss"),
}
TICK_SECONDS = 2  # while one of them trains


def show_side_by_side(runs: Sequence[Run]) -> None:
    """Draw the chosen runs' losses and differences, redrawn while any of them is live."""
    is_live = any(run.is_live for run in runs)
    every = TICK_SECONDS if is_live else None
    fragment(_draw, run_every=every)(runs)


def _draw(runs: Sequence[Run]) -> None:
    place = st.container()
    with st.container(horizontal=True, gap="medium"):
        lines = st.segmented_control(
            "Lines",
            list(LINES),
            default="Both" if len(runs) == 1 else "Validation",
            required=True,
            key=f"{session_keys.LINES}-{'one' if len(runs) == 1 else 'several'}",
            persist_state="session",
        )
        axes = choose_axes()
    if axes.bits:
        st.caption(BITS_PER_BYTE)
    losses = LINES[lines or "Validation"]
    visible = get_visible_runs()
    curves = [
        Curve(name, numbers_frame(visible.evaluations(run.id), run))
        for run, name in zip(runs, distinct_names(runs), strict=True)
    ]
    revision = " ".join([*(run.id for run in runs), str(axes), *losses])
    with place:
        live_chart(
            to_json(comparison_chart(curves, losses, axes, revision)),
            describe_comparison(curves, losses),
            key="comparison",
            save_as=runs[0].id if len(runs) == 1 else "runs",
            title=runs[0].name or runs[0].id if len(runs) == 1 else "",
        )
    if len(runs) > 1:
        by_id = {summary.run.id: summary for summary in visible.summaries()}
        show_differences([by_id[run.id] for run in runs if run.id in by_id])


def distinct_names(runs: Sequence[Run]) -> list[str]:
    """Return a distinct name for each run: runs of the same name get their IDs."""
    names = Counter(run.name or run.id for run in runs)
    return [
        f"{run.name} · {run.id}" if run.name and names[run.name] > 1 else run.name or run.id
        for run in runs
    ]


def show_differences(summaries: Sequence[RunSummary]) -> None:
    """Show a row for each run: its losses, and only the settings in which they differ."""
    runs = [summary.run for summary in summaries]
    differing = differing_settings(runs)
    frame = pd.DataFrame(
        {
            "Run": distinct_names(runs),
            "Lowest validation": [summary.lowest_val_loss for summary in summaries],
            "Last training": [summary.train_loss for summary in summaries],
            "Bits per byte": [summary.val_bits_per_byte for summary in summaries],
            **{name: _column(values) for name, values in differing.items()},
        }
    )
    if not differing:
        st.text("They have the same text, settings and machine.")
    colors = [color for _, color in zip(runs, cycle(RUNS), strict=False)]
    in_colors = [f"color: {color}; font-weight: 600" for color in colors]
    formats: dict[Any, Any] = dict.fromkeys(frame.select_dtypes("float"), "{:g}")
    formats |= dict.fromkeys(frame.select_dtypes("integer").columns.difference(["seed"]), "{:,}")
    formats |= dict.fromkeys(("Lowest validation", "Last training", "Bits per byte"), "{:.3f}")
    st.dataframe(
        frame.style.apply(lambda _: in_colors, subset=["Run"]).format(formats, na_rep="–"),
        hide_index=True,
        alt="The chosen runs, their losses, and the settings in which they differ",
    )


def _column(values: list[Any]) -> list[Any]:
    """Return a setting's values as a column: numbers if all are numbers, else text."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return values
    return [_as_text(value) for value in values]


def _as_text(value: Any) -> str:
    if value is None:
        return "none"
    return " | ".join(map(str, value)) if isinstance(value, tuple) else str(value)

"""The curve of a run: its style, its reading in words, and the comparison with the book."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from dashboard.app import is_projected, session_keys
from dashboard.charts import (
    Axes,
    LossCurves,
    Panel,
    describe_losses,
    extent_of,
    loss_chart,
    numbers_frame,
    palette,
    published_frame,
    small_charts,
    to_json,
    tokens_per_second,
)
from dashboard.components.live_chart import live_chart
from dashboard.forms import BITS_PER_BYTE, choose_axes
from dashboard.ui import run_title
from gpt_core.analysis import (
    BOOK_RUN,
    LECTURE_RUN,
    NOTEBOOK_RUN,
    CachedHistory,
    PublishedRun,
    compare_with_book,
    describe_baselines,
    describe_curve,
    describe_start,
    is_comparable,
    read_curve,
)
from gpt_core.store import Run

PUBLISHED = {run.name: run for run in (BOOK_RUN, LECTURE_RUN, NOTEBOOK_RUN)}
PROJECTED = 1.6


@dataclass(frozen=True)
class CurveStyle:
    """How a curve is drawn."""

    axes: Axes = field(default_factory=Axes)
    under: tuple[PublishedRun, ...] = ()


def choose_style(run: Run) -> CurveStyle:
    """Let the user choose how the curve is drawn; on a projector, use the defaults."""
    if is_projected():
        return CurveStyle()
    with st.container(horizontal=True, gap="medium"):
        axes = choose_axes()
    return CurveStyle(axes, _choose_published(run, axes))


def show_curve(run: Run, history: CachedHistory, look: CurveStyle) -> None:
    """Draw the losses and describe them in words."""
    projected = is_projected()
    axes, under = look.axes, look.under
    figure, description = history.derive(
        ("losses", axes, tuple(published.name for published in under), projected),
        lambda: _draw(run, history, axes, under, PROJECTED if projected else 1.0),
    )
    reading = history.derive(
        "reading", lambda: read_curve(history.recorded.evaluations), "evaluations"
    )
    live_chart(figure, description, key="losses", save_as=run.id, title=run_title(run))
    if reading is not None:
        if sentence := describe_curve(reading, _copied_fraction(history)):
            st.text(sentence)
        if not projected:
            st.caption(describe_start(reading, run.model_config.vocab_size))
            _compare_with_baselines(run, history)
    if axes.bits and not history.recorded.has_bits_per_byte:
        st.caption("Bits per byte were not recorded for this run: an older version trained it.")


def _compare_with_baselines(run: Run, history: CachedHistory) -> None:
    """Say when the model passed each baseline, and how often it is right."""
    baselines, evaluations = run.baselines, history.recorded.evaluations
    if baselines is not None:
        st.caption(
            history.derive(
                "baselines", lambda: describe_baselines(evaluations, baselines), "evaluations"
            )
        )
    accuracy = float(evaluations["val_accuracy"][-1])
    if not np.isnan(accuracy):
        st.caption(
            f"{BITS_PER_BYTE} Token accuracy {accuracy:.1%}: at so many positions of the "
            "validation text the token that the model finds most probable is the right one."
        )


def _copied_fraction(history: CachedHistory) -> float | None:
    """Return how much of the last sample is copied; None if a visitor may not see the samples."""
    samples = history.recorded.samples
    copying = samples[-1].copying if samples else None
    return copying.fraction if copying else None


def _draw(
    run: Run, history: CachedHistory, axes: Axes, under: Sequence[PublishedRun], size: float
) -> tuple[str, str]:
    """Return the chart as JSON, and its description."""
    evaluations = numbers_frame(history.recorded.evaluations, run)
    published = {other.name: published_frame(other, run) for other in under}
    steps = numbers_frame(history.recorded.steps, run)
    curves = LossCurves(evaluations, steps, published, run.baselines)
    vocab_size = run.model_config.vocab_size
    figure = loss_chart(curves, extent_of(run), run.id, axes, vocab_size, size)
    return to_json(figure), describe_losses(evaluations)


def _choose_published(run: Run, axes: Axes) -> tuple[PublishedRun, ...]:
    """Let the user draw published runs under the curve, if they are of the same model."""
    if not is_comparable(run):
        return ()
    names = st.pills(
        "Published runs of the chapter, lined up by number of updates",
        list(PUBLISHED),
        selection_mode="multi",
        key=session_keys.PUBLISHED,
        persist_state="session",
    )
    if names and axes.x == "minutes":
        st.caption("The published runs have no times: choose another axis to see them.")
        return ()
    return tuple(PUBLISHED[name] for name in names)


def show_book_comparison(run: Run, history: CachedHistory) -> None:
    """Answer "Is mine right?" for the book's run; of its model's others, say what differs."""
    if not is_comparable(run):
        return
    comparison = history.derive(
        "verdict", lambda: compare_with_book(run, history.recorded.evaluations), "evaluations"
    )
    if comparison.kind == "other":
        st.caption(comparison.sentence)
        return
    st.header("Is mine right?")
    st.text(comparison.sentence)
    if comparison.causes:
        causes = "\n".join(f"– {cause}" for cause in comparison.causes)
        st.text(f"What may explain the difference:\n{causes}")
    st.caption(
        "Compared with the log that the book prints, step by step, step 0 being the first update. "
        "On an x86-64 CPU in float32 every digit is the same; elsewhere dropout draws other "
        "random numbers, and a correct run stays close to it."
    )


def show_small_charts(run: Run, history: CachedHistory) -> None:
    """Draw the other measurements of a run's steps, and of its evaluations."""
    _show_exact_answers(run, history)
    if len(history.recorded.steps) < 2:
        return
    expander = st.expander(
        "Gradient norm, learning rate, speed, memory and accuracy",
        key=session_keys.MEASURES,
        on_change="rerun",
    )
    if expander.open:  # drawn only when open
        with expander:
            live_chart(
                history.derive("measured", lambda: _draw_measured(run, history)),
                "Gradient norm before clipping, learning rate, tokens per second, the memory of "
                "the process or GPU and the token accuracy, by steps.",
                key="measured",
            )


def _show_exact_answers(run: Run, history: CachedHistory) -> None:
    """Draw which fraction of a task's unseen problems the model answers without a mistake."""
    evaluations = history.recorded.evaluations
    if not len(evaluations) or np.isnan(evaluations["exact_match"][-1]):
        return

    def draw() -> str:
        at = evaluations["global_step"]
        panels = [
            Panel("Exact answers", at, evaluations["exact_match"], palette.VALIDATION, ".0%"),
            Panel("Token accuracy", at, evaluations["val_accuracy"], palette.VALIDATION, ".0%"),
        ]
        return str(small_charts(panels, "Step", run.id).to_json())

    st.header("What it answers")
    last = float(evaluations["exact_match"][-1])
    live_chart(
        history.derive("answers", draw, "evaluations"),
        f"Exact answers and token accuracy on the validation text; the last: {last:.1%} exact.",
        key="answers",
    )
    st.caption(
        "Exact answers: the fraction of problems of the validation text, none of which it is "
        "trained on, that it answers greedily without a mistake."
    )


def _draw_measured(run: Run, history: CachedHistory) -> str:
    steps = history.recorded.steps
    at = steps["global_step"]
    evaluations = history.recorded.evaluations
    measured_at = evaluations["global_step"]
    panels = [
        Panel("Gradient norm", at, steps["grad_norm"]),
        Panel("Learning rate", at, steps["learning_rate"]),
        Panel("Tokens per second", at[1:], tokens_per_second(steps)),
        Panel("Memory, GB", at, np.where(steps["memory"] > 0, steps["memory"], np.nan) / 1e9),
        Panel(
            "Token accuracy", measured_at, evaluations["val_accuracy"], palette.VALIDATION, ".0%"
        ),
    ]
    return str(small_charts(panels, "Step", run.id).to_json())

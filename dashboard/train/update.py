"""A single step: its losses, gradients and weight changes."""

import streamlit as st

from dashboard.charts import format_loss, part_bars
from dashboard.components.live_chart import live_chart
from dashboard.ui import show_numbers
from gpt_core.analysis import CachedHistory
from gpt_core.store import StoredUpdate

CHANGES = "Change of the weights, relative to their norm"


def show_update(history: CachedHistory) -> None:
    """Show what the last single step did, if it is the run's last step."""
    if not history.recorded.updates or not len(history.recorded.steps):
        return
    update = history.recorded.updates[-1]
    if update.global_step != int(history.recorded.steps["global_step"][-1]):
        return
    st.header(f"What step {update.global_step:,} did")
    show_numbers(
        {
            "Loss before": format_loss(update.loss_before),
            "Loss after": format_loss(update.loss_after),
            "Gradient norm": f"{update.grad_norm:.3f}",
            "Learning rate": f"{update.learning_rate:.3g}",
            "Largest weight change": f"{update.largest_change:.2e}",
        }
    )
    st.caption(
        f"Both losses are of this step's own batch, with dropout off. {describe_largest(update)} "
        "Of the token embedding only the rows of the batch's tokens get a gradient. With a "
        "max_grad_norm the gradient norm is that before clipping, the bars show those after it."
    )
    norms, changes = dict(update.grad_norms), dict(update.changes)
    left, right = st.columns(2)
    with left:
        live_chart(
            history.derive(
                "norms",
                lambda: part_bars(norms, "Gradient norm by part").to_json(),
                "updates",
            ),
            "Gradient norm of each part of the model.",
            key="closeup-gradients",
        )
    with right:
        live_chart(
            history.derive("changes", lambda: part_bars(changes, CHANGES).to_json(), "updates"),
            "Relative change of each part's weights.",
            key="closeup-changes",
        )


def describe_largest(update: StoredUpdate) -> str:
    """Describe the largest change of a weight, relative to the learning rate."""
    if update.learning_rate == 0:
        return "The schedule has lowered the learning rate to 0: no weight changed."
    ratio = update.largest_change / update.learning_rate
    return (
        f"The largest change of one weight, in {update.largest_change_in}, is {ratio:.2f} times "
        "the learning rate: AdamW scales each weight's change, so that it hardly depends on "
        "how large the gradient is."
    )

"""The recorded run's loss curve, drawn once from left to right, as a picture beside a text."""

from collections.abc import Sequence

from dashboard.charts import format_loss
from dashboard.components.registration import register
from gpt_core.export import RecordedLoss

HEIGHT = 170  # pixels, the same in its style rules: nothing moves when it appears

_component = register(
    "recorded_curve",
    '<div class="recorded-curve" role="img"><svg viewBox="0 0 100 100" preserveAspectRatio="none" '
    'aria-hidden="true"><polyline class="val"/><polyline class="train"/></svg>'
    '<span class="val" aria-hidden="true">validation</span>'
    '<span class="train" aria-hidden="true">training</span></div>',
)


def recorded_curve(losses: Sequence[RecordedLoss], key: str) -> None:
    """Draw a run's training and validation losses, without axes.

    Args:
        losses: those of each evaluation, at least two.
        key: identifies the curve on its page.
    """
    first, last = losses[0], losses[-1]
    data = {
        "losses": [(loss.global_step, loss.train_loss, loss.val_loss) for loss in losses],
        "description": (
            f"Loss curve of the recorded run: training falls from {format_loss(first.train_loss)} "
            f"to {format_loss(last.train_loss)}, validation from {format_loss(first.val_loss)} "
            f"to {format_loss(last.val_loss)}."
        ),
    }
    _component(data=data, key=key, height=HEIGHT)

"""The axes of loss charts, and how far a whole run extends on them."""

from dataclasses import dataclass

from dashboard.charts.figure import Chart

AXES = {
    "epochs": "Epochs",
    "global_step": "Step",
    "tokens_seen": "Tokens seen",
    "minutes": "Minutes of training",
}


@dataclass(frozen=True)
class Axes:
    """The axes of a loss chart: what losses are drawn against, and on which scale."""

    x: str = "epochs"  # a column of the frames, one of AXES
    perplexity: bool = False
    log: bool = False


@dataclass(frozen=True)
class Extent:
    """How far a whole run extends: its epochs, its steps, and the tokens of an epoch."""

    num_epochs: int
    total_steps: int
    tokens_per_epoch: int

    def on(self, x: str) -> float | None:
        """Return where the run ends on an axis, one of AXES; None if that is unknown."""
        ends = {
            "epochs": self.num_epochs,
            "global_step": self.total_steps - 1,
            "tokens_seen": self.num_epochs * self.tokens_per_epoch,
        }
        return ends.get(x)


def log_scale(axes: Axes) -> Chart:
    """Return the settings of a logarithmic loss axis; empty for a linear one."""
    ticks = {"dtick": "D2"} if axes.perplexity else {}
    return {"type": "log", **ticks} if axes.log else {}

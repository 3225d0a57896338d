"""What losses are drawn against, and how far a whole run goes."""

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
    """What losses are drawn against, and how."""

    x: str = "epochs"  # a column of the frames, one of AXES
    perplexity: bool = False
    log: bool = False


@dataclass(frozen=True)
class Extent:
    """How far a whole run goes."""

    num_epochs: int
    total_steps: int
    tokens_per_epoch: int

    def on(self, x: str) -> float | None:
        """Return where the run ends on an axis; None where nobody knows."""
        ends = {
            "epochs": self.num_epochs,
            "global_step": self.total_steps - 1,
            "tokens_seen": self.num_epochs * self.tokens_per_epoch,
        }
        return ends.get(x)


def log_scale(axes: Axes) -> Chart:
    """Return what makes an axis of losses logarithmic, if it is to be."""
    ticks = {"dtick": "D2"} if axes.perplexity else {}
    return {"type": "log", **ticks} if axes.log else {}

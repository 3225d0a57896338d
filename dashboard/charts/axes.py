"""The axes of loss charts, and how far a whole run extends on them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dashboard.charts.figure import Chart

AXES = {
    "epochs": "Epochs",
    "global_step": "Step",
    "tokens_seen": "Tokens seen",
    "minutes": "Minutes of training",
}


@dataclass(frozen=True)
class Axes:
    """The axes of a loss chart: what losses are drawn against, measured as what, on which scale."""

    x: str = "epochs"  # a column of the frames, one of AXES
    perplexity: bool = False
    log: bool = False
    bits: bool = False  # bits per byte

    @property
    def title(self) -> str:
        """Return what is drawn."""
        return "Bits per byte" if self.bits else "Perplexity" if self.perplexity else "Loss"

    @property
    def number_format(self) -> str:
        """Return the format of its numbers, in d3's and Python's syntax."""
        return ".1f" if self.perplexity else ".3f"

    def column(self, split: str) -> str:
        """Return the column that is drawn for a split, "train" or "val"."""
        return f"{split}_bits_per_byte" if self.bits else f"{split}_loss"

    def height(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the heights at which a column's values are drawn."""
        return np.exp(values) if self.perplexity else values


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

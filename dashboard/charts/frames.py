"""The records of a run → DataFrames for the charts."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from dashboard.charts.axes import Extent
from gpt_core.analysis import SPEED_STEPS, Numbers, PublishedRun, RunHistory
from gpt_core.store import Run


def numbers_frame(numbers: Numbers, run: Run) -> pd.DataFrame:
    """Return a run's steps or evaluations, with the epochs and minutes completed at each."""
    frame = pd.DataFrame(numbers)
    frame["epochs"] = (frame["global_step"] + 1) / run.steps_per_epoch
    frame["minutes"] = frame["seconds"] / 60
    return frame


def published_frame(published: PublishedRun, run: Run) -> pd.DataFrame:
    """Return published losses by a run's steps; they have no times."""
    rows = [(step, *losses) for step, losses in published.losses.items()]
    frame = pd.DataFrame(rows, columns=["global_step", "train_loss", "val_loss"])
    frame["epochs"] = (frame["global_step"] + 1) / run.steps_per_epoch
    frame["tokens_seen"] = (frame["global_step"] + 1) * run.tokens_per_step
    return frame[frame["global_step"] < run.total_steps]


def last_losses(history: RunHistory) -> tuple[float | None, float | None]:
    """Return the training and validation loss of the last evaluation, or (None, None)."""
    if not len(history.evaluations):
        return None, None
    last = history.evaluations[-1]
    return float(last["train_loss"]), float(last["val_loss"])


def extent_of(run: Run) -> Extent:
    """Return how far a whole run extends."""
    sizes = (run.training_config.num_epochs, run.total_steps)
    return Extent(*sizes, run.steps_per_epoch * run.tokens_per_step)


def tokens_per_second(steps: Numbers, over: int = SPEED_STEPS) -> npt.NDArray[np.float64]:
    """Return the tokens per second at each step from the second on, (steps - 1,).

    Each is measured over the last ``over`` steps.
    """
    if len(steps) < 2:
        return np.zeros(0)
    now = np.arange(1, len(steps))
    before = np.maximum(0, now - over + 1)
    tokens = steps["tokens_seen"][now] - steps["tokens_seen"][before]
    seconds = steps["seconds"][now] - steps["seconds"][before]
    return np.asarray(tokens / np.maximum(seconds, 1e-9))

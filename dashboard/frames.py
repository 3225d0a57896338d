"""Rows of the store → DataFrames and figures for display. No streamlit here."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from dashboard.charts import Extent
from gpt_core.analysis import PACE_STEPS, Numbers, PublishedRun, RunHistory
from gpt_core.store import Run


def numbers_frame(numbers: Numbers, run: Run) -> pd.DataFrame:
    """Return a run's steps or evaluations, with the epochs gone through and the minutes by each."""
    frame = pd.DataFrame(numbers)
    frame["epochs"] = (frame["global_step"] + 1) / run.steps_per_epoch
    frame["minutes"] = frame["seconds"] / 60
    return frame


def published_frame(published: PublishedRun, run: Run) -> pd.DataFrame:
    """Return losses that others have published, by a run's steps; nobody knows their times."""
    rows = [(step, *losses) for step, losses in published.losses.items()]
    frame = pd.DataFrame(rows, columns=["global_step", "train_loss", "val_loss"])
    frame["epochs"] = (frame["global_step"] + 1) / run.steps_per_epoch
    frame["tokens_seen"] = (frame["global_step"] + 1) * run.tokens_per_step
    return frame[frame["global_step"] < run.total_steps]


def last_losses(history: RunHistory) -> tuple[float | None, float | None]:
    """Return the training and validation loss of the last evaluation, or twice None."""
    if not len(history.evaluations):
        return None, None
    last = history.evaluations[-1]
    return float(last["train_loss"]), float(last["val_loss"])


def extent_of(run: Run) -> Extent:
    """Return how far a whole run goes."""
    sizes = (run.training_config.num_epochs, run.total_steps)
    return Extent(*sizes, run.steps_per_epoch * run.tokens_per_step)


def tokens_per_second(steps: Numbers, over: int = PACE_STEPS) -> npt.NDArray[np.float64]:
    """Return the pace at each step from the second on: over that step and the ones before."""
    if len(steps) < 2:
        return np.zeros(0)
    now = np.arange(1, len(steps))
    before = np.maximum(0, now - over + 1)
    tokens = steps["tokens_seen"][now] - steps["tokens_seen"][before]
    seconds = steps["seconds"][now] - steps["seconds"][before]
    return np.asarray(tokens / np.maximum(seconds, 1e-9))


def format_loss(loss: float | None) -> str:
    """Return a loss as it is shown everywhere: three decimals, or a dash before the first."""
    return "–" if loss is None else f"{loss:.3f}"


def format_probability(probability: float) -> str:
    """Return a probability short enough for a chip: ``0.312``, ``7.5e-05``."""
    return f"{probability:.3f}" if probability >= 0.001 else f"{probability:.1e}"


def format_exactly(probability: float) -> str:
    """Return a probability as the chapter prints it: ``7.454e-05``."""
    return f"{probability:.3e}"


def format_bytes(number: float) -> str:
    """Return a size for people: ``650 MB``, ``1.9 GB``."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f} B"


def count(number: int, noun: str) -> str:
    """Return a number of things: ``1 merge``, ``1,200 tokens``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def probability_strength(probability: float) -> float:
    """Return how strongly a probability is coloured, 0 to 1: 0.00001 and less not at all."""
    return min(1.0, max(0.0, 1 + math.log10(max(probability, 1e-12)) / 5))


def format_duration(seconds: float) -> str:
    """Return a duration for people: ``12 s``, ``3 min 05 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"

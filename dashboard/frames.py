"""Rows of the store → DataFrames and figures for display. No streamlit here."""

from dataclasses import dataclass

import pandas as pd

from gpt_core import Run
from gpt_core.store import Row


@dataclass(frozen=True)
class Progress:
    """How far a run is, and how fast."""

    steps_done: int
    total_steps: int
    epoch: int
    num_epochs: int
    tokens_per_second: float | None
    seconds_left: float | None

    @property
    def fraction(self) -> float:
        """Return the share of the run's steps that are done, 0 to 1."""
        return self.steps_done / self.total_steps


def evaluations_frame(rows: list[Row], run: Run) -> pd.DataFrame:
    """Return a run's evaluations with ``epochs``, the epochs gone through by each."""
    columns = ["global_step", "epoch", "tokens_seen", "train_loss", "val_loss"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["epochs"] = (frame["global_step"] + 1) / run.steps_per_epoch
    return frame


def run_progress(run: Run, last_steps: list[Row]) -> Progress:
    """Measure a run's progress; its pace is that of its last steps, evaluations included."""
    done = last_steps[-1]["global_step"] + 1 if last_steps else 0
    epoch = last_steps[-1]["epoch"] if last_steps else 1
    tokens_per_second = seconds_left = None
    if len(last_steps) > 1:
        first, last = last_steps[0], last_steps[-1]
        seconds = last["seconds"] - first["seconds"]
        if seconds > 0:
            tokens_per_second = (last["tokens_seen"] - first["tokens_seen"]) / seconds
            steps_per_second = (last["global_step"] - first["global_step"]) / seconds
            seconds_left = (run.total_steps - done) / steps_per_second
    return Progress(
        done,
        run.total_steps,
        epoch,
        run.training_config.num_epochs,
        tokens_per_second,
        seconds_left,
    )


def format_duration(seconds: float) -> str:
    """Return a duration for people: ``12 s``, ``3 min 05 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"

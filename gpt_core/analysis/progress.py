"""Measure a run's progress and speed from its last steps."""

from dataclasses import dataclass

from gpt_core.analysis.run_history import Numbers
from gpt_core.store import Run, StoredStep

SPEED_STEPS = 21  # the speed is measured between the first and the last of these


@dataclass(frozen=True)
class Progress:
    """How far a run is, and its speed."""

    steps_done: int
    total_steps: int
    epoch: int
    num_epochs: int
    tokens_per_second: float | None
    seconds_left: float | None

    @property
    def fraction(self) -> float:
        """Return the fraction of the run's steps that are done, 0 to 1."""
        return self.steps_done / self.total_steps


def run_progress(run: Run, last_steps: list[StoredStep] | Numbers) -> Progress:
    """Measure a run's progress; its speed is that of its last steps, evaluations included."""
    done = int(last_steps[-1].global_step) + 1 if len(last_steps) else 0
    epoch = int(last_steps[-1].epoch) if len(last_steps) else 1
    tokens_per_second = seconds_left = None
    if len(last_steps) > 1:
        first, last = last_steps[0], last_steps[-1]
        seconds = last.seconds - first.seconds
        if seconds > 0:
            tokens_per_second = float(last.tokens_seen - first.tokens_seen) / seconds
            steps_per_second = (last.global_step - first.global_step) / seconds
            seconds_left = (run.total_steps - done) / steps_per_second
    return Progress(
        done,
        run.total_steps,
        epoch,
        run.training_config.num_epochs,
        tokens_per_second,
        seconds_left,
    )

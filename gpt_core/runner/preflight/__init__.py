"""What a run will take: the seconds of its steps, and the largest batch that fits."""

from gpt_core.runner.preflight.largest_batch import find_largest_batch, largest_batch
from gpt_core.runner.preflight.step_timing import StepTiming, estimate_seconds, time_steps

__all__ = ["StepTiming", "estimate_seconds", "find_largest_batch", "largest_batch", "time_steps"]

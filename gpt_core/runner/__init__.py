"""The training thread, its requests, and the queue of runs."""

from gpt_core.runner.elsewhere.torchrun import count_processes, processes_of
from gpt_core.runner.queue_estimate import QueuePlace, expected_queue
from gpt_core.runner.session import Snapshot
from gpt_core.runner.step_timing import StepTiming, estimate_seconds, time_steps
from gpt_core.runner.training_runner import TrainingRunner

__all__ = [
    "QueuePlace",
    "Snapshot",
    "StepTiming",
    "TrainingRunner",
    "count_processes",
    "estimate_seconds",
    "expected_queue",
    "processes_of",
    "time_steps",
]

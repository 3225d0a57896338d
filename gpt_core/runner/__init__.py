"""The training thread, its requests, and the queue of runs."""

from gpt_core.runner.elsewhere.torchrun import count_processes, require_devices
from gpt_core.runner.machine import describe_speed
from gpt_core.runner.preflight import (
    StepTiming,
    estimate_seconds,
    find_largest_batch,
    largest_batch,
    time_steps,
)
from gpt_core.runner.queue_estimate import QueuePlace, expected_queue
from gpt_core.runner.session import Snapshot
from gpt_core.runner.training_runner import TrainingRunner

__all__ = [
    "QueuePlace",
    "Snapshot",
    "StepTiming",
    "TrainingRunner",
    "count_processes",
    "describe_speed",
    "estimate_seconds",
    "expected_queue",
    "find_largest_batch",
    "largest_batch",
    "require_devices",
    "time_steps",
]

"""When the waiting runs will begin, estimated from the speed of other runs."""

from dataclasses import dataclass

from gpt_core.analysis import SPEED_STEPS, CachedStore, run_progress
from gpt_core.inspection import summarize
from gpt_core.runner.training_runner import TrainingRunner
from gpt_core.store import Run, RunState, RunSummary


@dataclass(frozen=True)
class QueuePlace:
    """A waiting run and the seconds until it is expected to begin."""

    run: Run
    starts_in: float  # infinite if unknown


def expected_queue(record: CachedStore, runner: TrainingRunner) -> list[QueuePlace]:
    """Return the waiting runs of this process in the order in which they will begin."""
    runs = {run.id: run for run in record.live_runs() if not run.origin}
    seconds = record.cached("seconds left", lambda: _seconds_of(record, list(runs.values())))
    starts = runner.expected_starts(seconds)
    return [QueuePlace(runs[run_id], at) for run_id, at in starts.items() if run_id in runs]


def _seconds_of(record: CachedStore, runs: list[Run]) -> dict[str, float]:
    """Return the remaining seconds of runs, as far as they can be estimated.

    For a running run, its own speed counts. For a waiting run, the speed of a running run or
    else of the latest recorded one counts, scaled by tokens and parameters per step.
    """
    seconds, rate = {}, None
    for run in runs:
        if run.state is RunState.RUNNING:
            progress = run_progress(run, record.last_steps(run.id, SPEED_STEPS))
            if progress.seconds_left is not None and progress.tokens_per_second:
                seconds[run.id] = progress.seconds_left
                rate = progress.tokens_per_second * _parameters(run) / _devices(run)
    summaries = {summary.run.id: summary for summary in record.summaries()}
    if rate is None:
        rate = next(filter(None, map(_rate_of, summaries.values())), None)
    if rate is not None:
        for run in runs:
            if run.state is RunState.QUEUED and run.id in summaries:  # not deleted meanwhile
                left = run.total_steps - summaries[run.id].steps_done
                work = left * run.tokens_per_step * _parameters(run)
                seconds[run.id] = work / (rate * _devices(run))
    return seconds


def _rate_of(summary: RunSummary) -> float | None:
    """Return tokens times parameters per second and device, or None if unknown.

    Evaluations are included.
    """
    run = summary.run
    work = summary.steps_done * run.tokens_per_step * _parameters(run) / _devices(run)
    return work / summary.seconds if summary.seconds > 0 and work else None


def _devices(run: Run) -> int:
    """Return how many devices train a run; CPU processes share one."""
    return 1 if run.training_config.device == "cpu" else run.processes


def _parameters(run: Run) -> int:
    return summarize(run.model_config, 1, 1).parameters

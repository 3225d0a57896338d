"""When the waiting runs will begin: read off the pace of those that train or have trained."""

from dataclasses import dataclass

from gpt_core.analysis import SPEED_STEPS, CachedStore, run_progress
from gpt_core.inspection import summarize
from gpt_core.runner.training_runner import TrainingRunner
from gpt_core.store import Run, RunState, RunSummary


@dataclass(frozen=True)
class QueuePlace:
    """A waiting run, and in how many seconds it is expected to begin."""

    run: Run
    starts_in: float  # infinite where nobody knows


def expected_queue(record: CachedStore, runner: TrainingRunner) -> list[QueuePlace]:
    """Return the waiting runs of this process in the order in which they will begin."""
    runs = {run.id: run for run in record.live_runs() if runner.owns(run.id)}
    seconds = record.cached("seconds left", lambda: _seconds_of(record, list(runs.values())))
    starts = runner.expected_starts(seconds)
    return [QueuePlace(runs[run_id], at) for run_id, at in starts.items() if run_id in runs]


def _seconds_of(record: CachedStore, runs: list[Run]) -> dict[str, float]:
    """Return how long runs still take, as far as it can be known.

    One that trains: by its own pace. One that waits: as its steps' work compares to that of a run
    whose time is on record, of those that train or else of the last that has trained.
    """
    seconds, pace = {}, None
    for run in runs:
        if run.state is RunState.RUNNING:
            progress = run_progress(run, record.last_steps(run.id, SPEED_STEPS))
            if progress.seconds_left is not None and progress.tokens_per_second:
                seconds[run.id] = progress.seconds_left
                pace = progress.tokens_per_second * _parameters(run)
    summaries = {summary.run.id: summary for summary in record.summaries()}
    if pace is None:
        pace = next(filter(None, map(_pace_of, summaries.values())), None)
    if pace is not None:
        for run in runs:
            if run.state is RunState.QUEUED and run.id in summaries:  # not deleted meanwhile
                left = run.total_steps - summaries[run.id].steps_done
                seconds[run.id] = left * run.tokens_per_step * _parameters(run) / pace
    return seconds


def _pace_of(summary: RunSummary) -> float | None:
    """Return for how many tokens and parameters a run's second was enough, evaluations included."""
    work = summary.steps_done * summary.run.tokens_per_step * _parameters(summary.run)
    return work / summary.seconds if summary.seconds > 0 and work else None


def _parameters(run: Run) -> int:
    return summarize(run.model_config, 1, 1).parameters

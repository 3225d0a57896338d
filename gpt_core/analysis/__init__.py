"""Analysis of recorded runs: history, loss curve, memorization, progress, comparison."""

from gpt_core.analysis.baselines import describe_baselines, measure_baselines
from gpt_core.analysis.book_comparison import BookComparison, compare_with_book, is_comparable
from gpt_core.analysis.cached_store import CachedStore
from gpt_core.analysis.inside import (
    HABITS,
    HEALTHY_UPDATES,
    TELLING,
    TellingHead,
    attention_of,
    describe_faults,
    describe_habit,
    describe_head,
    part_numbers,
    telling_head,
)
from gpt_core.analysis.loss_curve import CurveReading, describe_curve, describe_start, read_curve
from gpt_core.analysis.memorization import MIN_COPIED_TOKENS, Copying, find_copying, measure_copying
from gpt_core.analysis.progress import SPEED_STEPS, Progress, run_progress
from gpt_core.analysis.reference_runs import BOOK_RUN, LECTURE_RUN, NOTEBOOK_RUN, PublishedRun
from gpt_core.analysis.run_diff import differing_settings
from gpt_core.analysis.run_history import CachedHistory, MeasuredSample, Numbers, RunHistory
from gpt_core.analysis.scaling import all_reduce_seconds, parallel_efficiency

__all__ = [
    "BOOK_RUN",
    "HABITS",
    "HEALTHY_UPDATES",
    "LECTURE_RUN",
    "MIN_COPIED_TOKENS",
    "NOTEBOOK_RUN",
    "SPEED_STEPS",
    "TELLING",
    "BookComparison",
    "CachedHistory",
    "CachedStore",
    "Copying",
    "CurveReading",
    "MeasuredSample",
    "Numbers",
    "Progress",
    "PublishedRun",
    "RunHistory",
    "TellingHead",
    "all_reduce_seconds",
    "attention_of",
    "compare_with_book",
    "describe_baselines",
    "describe_curve",
    "describe_faults",
    "describe_habit",
    "describe_head",
    "describe_start",
    "differing_settings",
    "find_copying",
    "is_comparable",
    "measure_baselines",
    "measure_copying",
    "parallel_efficiency",
    "part_numbers",
    "read_curve",
    "run_progress",
    "telling_head",
]

"""Reading what a run recorded: its history, its curve, what it learnt by heart."""

from gpt_core.analysis.book_comparison import Verdict, is_comparable, judge
from gpt_core.analysis.cached_store import Board
from gpt_core.analysis.loss_curve import CurveReading, describe_curve, describe_start, read_curve
from gpt_core.analysis.memorization import COPIED_AT_LEAST, Copying, find_copying, measure_copying
from gpt_core.analysis.progress import PACE_STEPS, Progress, run_progress
from gpt_core.analysis.reference_runs import BOOK_RUN, LECTURE_RUN, NOTEBOOK_RUN, PublishedRun
from gpt_core.analysis.run_diff import differing_settings
from gpt_core.analysis.run_history import Numbers, RunHistory

__all__ = [
    "BOOK_RUN",
    "COPIED_AT_LEAST",
    "LECTURE_RUN",
    "NOTEBOOK_RUN",
    "PACE_STEPS",
    "Board",
    "Copying",
    "CurveReading",
    "Numbers",
    "Progress",
    "PublishedRun",
    "RunHistory",
    "Verdict",
    "describe_curve",
    "describe_start",
    "differing_settings",
    "find_copying",
    "is_comparable",
    "judge",
    "measure_copying",
    "read_curve",
    "run_progress",
]

"""The parts of the Train page."""

from dashboard.train.background import show_background
from dashboard.train.curve import (
    CurveStyle,
    choose_style,
    show_book_comparison,
    show_curve,
    show_small_charts,
)
from dashboard.train.expectations import last_probes, show_expectations
from dashboard.train.inside_strip import show_inside
from dashboard.train.other_runs import show_others
from dashboard.train.run_again import fill_form
from dashboard.train.run_form import show_form
from dashboard.train.samples import show_earlier_samples, show_latest_sample

__all__ = [
    "CurveStyle",
    "choose_style",
    "fill_form",
    "last_probes",
    "show_background",
    "show_book_comparison",
    "show_curve",
    "show_earlier_samples",
    "show_expectations",
    "show_form",
    "show_inside",
    "show_latest_sample",
    "show_others",
    "show_small_charts",
]

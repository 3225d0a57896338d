"""The parts of the Data page."""

from dashboard.data.preflight import offer_fixes, show_preflight
from dashboard.data.settings import choose_settings, encode
from dashboard.data.statistics import show_grammar, show_split, show_statistics, statistics_of
from dashboard.data.windows import batch_counts, show_batch, show_windows

__all__ = [
    "batch_counts",
    "choose_settings",
    "encode",
    "offer_fixes",
    "show_batch",
    "show_grammar",
    "show_preflight",
    "show_split",
    "show_statistics",
    "show_windows",
    "statistics_of",
]

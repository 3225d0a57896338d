"""The parts of the Data page."""

from dashboard.data.preflight import offer_fixes, show_preflight
from dashboard.data.settings import choose_settings, encode
from dashboard.data.statistics import show_split, show_survey, survey_of
from dashboard.data.windows import layouts, show_batch, show_windows

__all__ = [
    "choose_settings",
    "encode",
    "layouts",
    "offer_fixes",
    "show_batch",
    "show_preflight",
    "show_split",
    "show_survey",
    "show_windows",
    "survey_of",
]

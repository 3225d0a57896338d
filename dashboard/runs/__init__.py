"""The parts of the Runs page."""

from dashboard.runs.comparison import show_side_by_side
from dashboard.runs.downloads import show_exports

__all__ = ["show_exports", "show_side_by_side"]

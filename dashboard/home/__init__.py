"""The parts of the Home page."""

from dashboard.home.first_runs import offer_comparison, offer_first_runs

__all__ = ["offer_comparison", "offer_first_runs"]

"""The parts of the Weights page."""

from dashboard.weights.checkpoints import show_checkpoints

__all__ = ["show_checkpoints"]

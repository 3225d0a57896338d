"""The parts of the Model page."""

__all__ = []

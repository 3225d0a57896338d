"""The parts of the Generate page."""

__all__ = []

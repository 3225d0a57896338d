"""The parts of the Classroom page, and the door to a class."""

from dashboard.classroom.door import MIDDLEWARE, ROUTES, open_to_the_network

__all__ = ["MIDDLEWARE", "ROUTES", "open_to_the_network"]

"""The parts of the Classroom page, and the door to a class."""

from dashboard.classroom.door import MIDDLEWARE, ROUTES, open_to_the_network
from dashboard.classroom.membership import show_member

__all__ = ["MIDDLEWARE", "ROUTES", "open_to_the_network", "show_member"]

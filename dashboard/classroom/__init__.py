"""The parts of the Classroom page, and the door to a class."""

from starlette.middleware import Middleware

from dashboard.classroom import door
from dashboard.classroom.door import ROUTES, open_to_the_network
from dashboard.classroom.membership import show_member
from dashboard.classroom.sessions import MemberSessions

MIDDLEWARE = [*door.MIDDLEWARE, Middleware(MemberSessions)]

__all__ = ["MIDDLEWARE", "ROUTES", "open_to_the_network", "show_member"]

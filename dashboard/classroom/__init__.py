"""The parts of the Classroom page, and the door to a class."""

from starlette.middleware import Middleware

from dashboard.app import LimitedUploads
from dashboard.classroom import door
from dashboard.classroom.door import ROUTES, open_to_the_network
from dashboard.classroom.membership import show_member
from dashboard.classroom.sessions import MemberSessions, actor_of

MIDDLEWARE = [
    *door.MIDDLEWARE,
    Middleware(MemberSessions),
    Middleware(LimitedUploads, actor_of=actor_of),
]

__all__ = ["MIDDLEWARE", "ROUTES", "open_to_the_network", "show_member"]

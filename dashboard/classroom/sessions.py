"""The open pages of a class: each message of a browser passes the membership check."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState

from dashboard.app import COOKIE, get_class_roster
from gpt_core.access import NOBODY, Member

MAX_TABS = 10  # of a student: each open page is redrawn on the cores that train
MEMBER_HEADER = b"x-gpt-lab-member"  # set here, never by a browser
REFUSED = 4403  # a websocket's close code, like HTTP's 403

# What takes the place of a message from a browser that is not in the class any more: a run of the
# whole script without widgets, so that no callback and no fragment runs, and main.py says why.
PLAIN_RERUN = BackMsg(rerun_script=ClientState()).SerializeToString()


class MemberSessions:
    """ASGI middleware: pages belong to the member whose browser opened them, while they are one.

    Every script run, fragment and callback begins with a message over a websocket. Here each of
    them is checked, so that no page has to. Streamlit's session ID alone resumes no session: the
    member is part of it (``server.trustedUserHeaders``).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        config.set_option("server.trustedUserHeaders", {MEMBER_HEADER.decode(): "member"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what a member may do; answer the rest with a sentence or a close code."""
        if scope["type"] == "websocket":
            await self._serve_page(scope, receive, send)
        elif _asks_for_page(scope) and _has_too_many(await _member(scope)):
            sentence = (
                f"You have {MAX_TABS} pages of the class open, and more would slow down the "
                "others: close some, then reload this one."
            )
            await PlainTextResponse(sentence, 429)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve_page(self, scope: Scope, receive: Receive, send: Send) -> None:
        member = await _member(scope)
        if member is None or _has_too_many(member):
            await receive()  # the connect event comes first
            await send({"type": "websocket.close", "code": REFUSED})
            return

        roster, token = get_class_roster(), _token(scope)

        async def receive_checked() -> Message:
            message = await receive()
            # Not in a thread: unless the members have changed, the answer is in memory.
            if message["type"] == "websocket.receive" and roster.who(token) != member:
                return {"type": "websocket.receive", "bytes": PLAIN_RERUN}
            return message

        others = [header for header in scope["headers"] if header[0].lower() != MEMBER_HEADER]
        headers = [*others, (MEMBER_HEADER, member.id.encode())]
        roster.open_tab(member.id)
        try:
            await self._app({**scope, "headers": headers}, receive_checked, send)
        finally:
            roster.close_tab(member.id)


def _has_too_many(member: Member | None) -> bool:
    """Tell whether a student has as many pages open as they may."""
    if member is None or member.is_teacher:
        return False
    return get_class_roster().tabs(member.id) >= MAX_TABS


async def _member(scope: Scope) -> Member | None:
    """Return the member whose browser this is at this moment."""
    return await run_in_threadpool(get_class_roster().who, _token(scope))


def _token(scope: Scope) -> str | None:
    """Return the member token in the browser's cookie."""
    return HTTPConnection(scope).cookies.get(COOKIE)


async def actor_of(scope: Scope) -> str:
    """Return the actor who sends a request."""
    member = await _member(scope)
    return member.id if member else NOBODY


def _asks_for_page(scope: Scope) -> bool:
    return scope["type"] == "http" and "text/html" in HTTPConnection(scope).headers.get(
        "accept", ""
    )

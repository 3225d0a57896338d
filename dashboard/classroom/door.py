"""The door to a class: the page to join, the members' cookie, and the port for the network.

The app's own address stays on this machine. Class mode listens at a second one, for the network:
without a member's cookie it serves no page and no websocket.
"""

import asyncio
import html
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import streamlit as st
import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import config

from dashboard.app import (
    CLASS_MODE,
    COOKIE,
    PROTECTION,
    SEAT,
    Seats,
    close_runtime,
    get_class_roster,
    limited_protocols,
    raise_file_limit,
)
from dashboard.classroom.network import class_port, class_urls, own_addresses, proxy_url
from dashboard.publishing import is_publishing
from gpt_core.access import MAX_MEMBER_NAME, Member

EVERYWHERE = "0.0.0.0"  # noqa: S104 (on purpose: class mode serves the network)
THIS_MACHINE = "127.0.0.1"
JOIN, LEAVE, FONT = "/join", "/leave", "/join/font.woff2"
TEACHERS_PAGE = "/classroom"
HERE = Path(__file__).parent
ICON = HERE.parent / "icon.svg"
FONT_FILE = "static/static/media/SourceSansVF-Upright*.woff2"  # the app's, in Streamlit's package
OPEN_PATHS = (JOIN, FONT, "/_stcore/health")
MAX_FORM_BYTES = 4096
FORM_SECONDS = 10.0  # for the whole form to arrive
CHECKING = asyncio.Semaphore(2)  # a rejoin code takes 50 ms of a core to check
CLOSE = {"Connection": "close"}  # what is left of the form is not read
NO_MEMBER = 4401  # a websocket's close code, like HTTP's 401
TRY_LATER = 1013  # another one, like HTTP's 503
TOO_MANY = "You have too many connections to the class: close some of its tabs."
MAX_CONNECTIONS = 4096
OF_ADDRESS, OF_MEMBER = 256, 64  # connections: an address may be a class behind one router


class OnlyMembers:
    """ASGI middleware: without a member's cookie, only the door is open."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a member's request on; refuse any other, or send it to the door."""
        is_open = scope["type"] not in ("http", "websocket") or scope["path"] in OPEN_PATHS
        if is_open or is_publishing(scope):  # which needs a token of its own
            await self._app(scope, receive, send)
            return
        token = HTTPConnection(scope).cookies.get(COOKIE)
        member = await run_in_threadpool(get_class_roster().who, token)
        seat = scope.get("state", {}).get(SEAT)  # none at the address for this machine alone
        has_room = member is None or seat is None or seat.take(member.id)
        if member is not None and has_room:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()  # the connect event comes first
            code = NO_MEMBER if has_room else TRY_LATER
            await send({"type": "websocket.close", "code": code})
        else:
            answer = _to_the_door(scope) if has_room else PlainTextResponse(TOO_MANY, 503, CLOSE)
            await answer(scope, receive, send)


def _to_the_door(scope: Scope) -> Response:
    """Return the answer to a request without a cookie: the door, if it asked for a page."""
    wants_page = "text/html" in HTTPConnection(scope).headers.get("accept", "")
    if scope["method"] not in ("GET", "HEAD") or not wants_page:
        return PlainTextResponse("Join the class first.", 401)
    query = scope["query_string"].decode("latin-1")
    path = scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse(f"{JOIN}?{urlencode({'next': path})}", 303)


async def show_door(request: Request) -> Response:
    """Show the form to join the class."""
    code = request.query_params.get("code", "")  # from a QR code
    member = await run_in_threadpool(get_class_roster().who, request.cookies.get(COOKIE))
    return HTMLResponse(_door(request.query_params.get("next", "/"), code=code, member=member))


async def join(request: Request) -> Response:
    """Let a student or the teacher in, or say why not."""
    fields = await _read_form(request)
    if isinstance(fields, Response):
        return fields
    name, code = fields.get("name", ""), fields.get("code", "")
    address = request.client.host if request.client else ""
    roster, wanted = get_class_roster(), _local_path(fields.get("next", "/"))
    member = await run_in_threadpool(roster.who, request.cookies.get(COOKIE))
    if member is not None and "replace" not in fields:
        return HTMLResponse(_door(wanted, name=name, member=member), 409)
    if "passphrase" in fields:
        wait = roster.seconds_to_wait(address)
        enter = partial(roster.sign_in_teacher, fields["passphrase"], address)
        landing = TEACHERS_PAGE if wanted == "/" else wanted
    else:
        wait = roster.seconds_to_wait(address, name, code)
        enter = partial(roster.join, name, code, address)
        landing = wanted
    await asyncio.sleep(wait)
    try:
        async with CHECKING:
            token = await run_in_threadpool(enter)
    except ValueError as error:
        refusal = str(error)
        return HTMLResponse(_door(wanted, refusal, name, member=member), 403)
    response = RedirectResponse(landing, 303)
    # Lax: a link to a run opens it from an e-mail, too.
    response.set_cookie(
        COOKIE,
        token,
        max_age=roster.signed_in_seconds,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        path="/",
    )
    return response


async def _read_form(request: Request) -> dict[str, str] | Response:
    """Return the fields of a form; the answer, if it is too large or comes too slowly."""
    body = b""
    try:
        async with asyncio.timeout(FORM_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_FORM_BYTES:
                    return PlainTextResponse("The form is too large.", 413, CLOSE)
    except (TimeoutError, ClientDisconnect):
        return PlainTextResponse("The form did not arrive in time.", 408, CLOSE)
    return {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}


async def ask_to_leave(request: Request) -> Response:
    """Show what leaving means, and how to come back."""
    roster, token = get_class_roster(), request.cookies.get(COOKIE, "")
    member = await run_in_threadpool(roster.who, token)
    if member is None:  # sent out meanwhile
        return RedirectResponse(JOIN, 303)
    if member.is_teacher:
        name, back = "the teacher", "To come back, sign in with the passphrase."
    else:
        name = html.escape(member.name)
        code = await run_in_threadpool(roster.rejoin_code, token)
        shown = f"<strong>{code}</strong>" if code else "that your teacher issued"
        back = f"To come back, join as {name} with your rejoin code {shown}."
    return HTMLResponse(_page("Leave the class", "leave.html", {"name": name, "return": back}))


async def leave(request: Request) -> Response:
    """Sign this browser out; its member's runs stay."""
    await run_in_threadpool(get_class_roster().sign_out, request.cookies.get(COOKIE, ""))
    response = RedirectResponse(JOIN, 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", path="/")
    return response


async def send_font(_request: Request) -> Response:
    """Send the app's font, which lies among the files that only members get."""
    for path in Path(st.__file__).parent.glob(FONT_FILE):
        return FileResponse(path, headers={"Cache-Control": "public, max-age=86400"})
    return PlainTextResponse("This version of Streamlit has no such font.", 404)


ROUTES = [
    Route(JOIN, show_door),
    Route(JOIN, join, methods=["POST"]),
    Route(LEAVE, ask_to_leave),
    Route(LEAVE, leave, methods=["POST"]),
    Route(FONT, send_font),
]
MIDDLEWARE = [*PROTECTION, Middleware(OnlyMembers)]


def _local_path(path: str) -> str:
    """Return the path of a page; ``/`` in place of any other address."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\", LEAVE))
    is_ours = is_ours and path.isprintable()
    return path if is_ours else "/"


def _door(
    wanted: str, refusal: str = "", name: str = "", code: str = "", member: Member | None = None
) -> str:
    """Return the page at the door as HTML; what was entered is text in it, never markup.

    Args:
        wanted: the page to open afterwards.
        refusal: why the last attempt failed.
        name: the name that was entered.
        code: the join code that is filled in.
        member: who is signed in with this browser, and is asked before they are replaced.
    """
    signed_in = replace = ""
    if member is not None:
        who = "the teacher" if member.is_teacher else html.escape(member.name)
        signed_in = _template("signed_in.html").substitute(name=who)
        replace = _template("replace.html").substitute(name=who)
    refused = f'<p role="alert">{html.escape(refusal)}</p>' if refusal else ""
    values = {
        "refusal": signed_in + refused,
        "replace": replace,
        "wanted": html.escape(_local_path(wanted)),
        "name": html.escape(name),
        "code": html.escape(code),
        "longest_name": MAX_MEMBER_NAME,
    }
    return _page("Join the class", "join.html", values)


def _page(title: str, main: str, values: Mapping[str, object]) -> str:
    """Return a page at the door; the values are HTML."""
    icon = quote(ICON.read_text(encoding="utf-8"))  # inline: no other address is open
    return _template("door.html").substitute(
        title=title, icon=icon, main=_template(main).substitute(values)
    )


def _template(name: str) -> Template:
    return Template((HERE / name).read_text(encoding="utf-8"))


class _Listener(uvicorn.Server):
    """A second server of the same app, which leaves signals to the first."""

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        """Leave the signals to the first server."""
        return nullcontext()


@asynccontextmanager
async def open_to_the_network(app: st.App) -> AsyncIterator[None]:
    """Listen to the network while the app runs, and print the addresses and codes."""
    os.environ[CLASS_MODE] = "1"  # before the first visit, which creates the services
    port = class_port()
    name = socket.gethostname().lower()
    proxy = proxy_url()
    hosts = [THIS_MACHINE, "localhost", name, f"{name}.local", *own_addresses()]
    if proxy:
        hosts.append(str(urlsplit(proxy).hostname))
    config.set_option("server.allowedHosts", hosts)
    in_all = min(MAX_CONNECTIONS, raise_file_limit() // 2)  # the store and texts need files, too
    seats = Seats(in_all, OF_ADDRESS, OF_MEMBER, is_behind_proxy=proxy is not None)
    listener = _Listener(
        uvicorn.Config(
            app,
            host=THIS_MACHINE if proxy else EVERYWHERE,  # with HTTPS there is no way around it
            port=port,
            # asyncio accepts as many before it looks at the first: few, or files run out.
            backlog=in_all // 8,
            lifespan="off",
            access_log=False,
            log_level="warning",
            proxy_headers=proxy is not None,
            forwarded_allow_ips=THIS_MACHINE,
            **limited_protocols(seats),
        )
    )
    serving = asyncio.create_task(listener.serve())
    roster = await run_in_threadpool(get_class_roster)
    where = " or ".join(class_urls())
    print(
        f"\nClass mode: open to everybody in your network at {where or f'port {port}'}\n"
        f"Join code for students: {roster.join_code}\n"
        f"The teacher's passphrase: {roster.passphrase}\n",
        flush=True,
    )
    try:
        yield
    finally:
        listener.should_exit = True
        await serving
        # uvicorn then ends the process by a signal: live runs must be saved before.
        await run_in_threadpool(close_runtime)

"""What every request passes before Streamlit sees it, in ``app.py`` and in ``classroom.py``."""

import asyncio
import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from dashboard.app.connections import raise_file_limit
from dashboard.app.runtime import get_uploads, has_services
from dashboard.app.uploads import UPLOAD_PATH, UploadRefused, give_back_memory, split_address
from gpt_core.access import LOCAL

raise_file_limit()  # macOS begins with 256, which thirty browsers use up

READING = ("GET", "HEAD", "OPTIONS")  # the methods that change nothing
OWN_SITES = ("same-origin", "none")  # Sec-Fetch-Site of our own pages and of the address bar
STALLED_SECONDS = 20.0  # within which an upload must go on
LEAST_SECONDS, BYTES_A_SECOND = 60.0, 100_000  # for a whole upload: a slow network's share of it
POLICY_VIOLATION = 1008  # a websocket's close code; before the handshake it is HTTP's 403


def _inline_scripts() -> str:
    """Return the hashes of the scripts in Streamlit's own page, which may run; no others may."""
    page = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    hashes = (
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    )
    return " ".join(f"'sha256-{value}'" for value in hashes)


# Streamlit sets styles in its elements; components of our own come as blobs. Nothing comes from,
# or goes to, another site.
POLICY = "; ".join(
    (
        "default-src 'self'",
        f"script-src 'self' blob: {_inline_scripts()}",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # not "no-referrer": the door's forms would name no Origin
}


class SecurityHeaders:
    """ASGI middleware: what browsers may do with the answers, on every one of them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add the headers to its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class SameOrigin:
    """ASGI middleware: refuse websockets, and requests that change something, of other sites.

    Any web page may open a websocket to this machine. Asked by one whose Origin it does not know,
    Streamlit looks up its own address at a host outside, and answers nothing meanwhile. Browsers
    always name the Origin of a websocket; programs that are no browser need not.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with 403."""
        if scope["type"] == "websocket" and not is_same_origin(Headers(scope=scope)):
            await receive()  # the connect event comes first
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        elif (
            scope["type"] == "http"
            and scope["method"] not in READING
            and not is_same_origin(Headers(scope=scope))
        ):
            answer = PlainTextResponse("This request comes from another site: refused.", 403)
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def is_same_origin(headers: Headers) -> bool:
    """Tell whether a request comes from a page of the host that it asks, or from no page.

    X-Forwarded-Host is never believed: a proxy passes the Host on (docs/SECURITY.md).
    """
    origins, hosts = headers.getlist("origin"), headers.getlist("host")
    if not origins:
        return headers.get("sec-fetch-site", "none") in OWN_SITES
    if len(origins) != 1 or len(hosts) != 1:
        return False
    try:
        return urlsplit(origins[0]).netloc.lower() == hosts[0].lower()
    except ValueError:  # no address: "http://[" cannot be split
        return False


async def _local(_scope: Scope) -> str:
    return LOCAL


class LimitedUploads:
    """ASGI middleware: only uploads that a page asked for, limited in number, size and time.

    Args:
        app: what follows.
        actor_of: returns who sends a request.
    """

    def __init__(self, app: ASGIApp, actor_of: Callable[[Scope], Awaitable[str]] = _local) -> None:
        self._app = app
        self._actor_of = actor_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with a sentence, which its page shows too."""
        if scope["type"] == "websocket":
            await self._serve_page(scope, receive, send)
        elif (
            scope["type"] == "http"
            and UPLOAD_PATH in scope["path"]
            and scope["method"] in ("PUT", "DELETE")
        ):
            try:
                await self._take(scope, receive, send)
            except UploadRefused as refused:
                # The rest of the file is not read.
                answer = PlainTextResponse(str(refused), refused.status, {"Connection": "close"})
                await answer(scope, receive, send)
            except ClientDisconnect:
                pass  # there is nobody to answer
        else:
            await self._app(scope, receive, send)

    async def _serve_page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the addresses for uploads that a page is given; free its files when it is closed."""
        actor = await self._actor_of(scope)

        async def send_noting(message: Message) -> None:
            data = message.get("bytes") or b""
            if UPLOAD_PATH.encode() in data:
                urls = ForwardMsg.FromString(data).file_urls_response.file_urls
                get_uploads().note_asked(actor, [url.upload_url for url in urls])
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:  # a browser may return within this time, after a lost connection
            seconds = config.get_option("server.disconnectedSessionTTL") + 1
            asyncio.get_running_loop().call_later(seconds, _end_sessions)

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on an upload, or the removal of a file.

        Raises:
            UploadRefused: it exceeds a limit, or no page asked for it.
            ClientDisconnect: its client has gone.
        """
        actor, uploads = await self._actor_of(scope), await run_in_threadpool(get_uploads)
        session_id, file_id = split_address(scope["path"])
        uploads.require_asked(actor, session_id, file_id)
        if scope["method"] == "DELETE":
            await self._app(scope, receive, send)
            return
        try:
            length = Headers(scope=scope).get("content-length", "")
            if not length.isdecimal():
                raise UploadRefused(411, "An upload must say how large it is.")
            with uploads.arriving(actor, session_id, int(length)):
                await self._app(scope, _in_time(receive, int(length)), send)
        except UploadRefused as refused:
            uploads.note_refusal(session_id, str(refused))
            raise


def _in_time(receive: Receive, size: int) -> Receive:
    """Return a channel that gives up on an upload that stalls, or takes too long altogether."""
    now = asyncio.get_running_loop().time
    end = now() + LEAST_SECONDS + size / BYTES_A_SECOND

    async def receive_in_time() -> Message:
        try:
            async with asyncio.timeout(min(STALLED_SECONDS, end - now())):
                return await receive()
        except TimeoutError:
            raise UploadRefused(408, "The file did not arrive in time: upload it again.") from None

    return receive_in_time


def _end_sessions() -> None:
    """Free what the sessions of closed pages held."""
    if has_services() and get_uploads().end_sessions():
        asyncio.get_running_loop().run_in_executor(None, give_back_memory)


PROTECTION = [Middleware(SecurityHeaders), Middleware(SameOrigin)]
MIDDLEWARE = [*PROTECTION, Middleware(LimitedUploads)]

"""What every request passes before Streamlit sees it, in ``app.py`` and in ``classroom.py``."""

import base64
import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.app.connections import raise_file_limit

raise_file_limit()  # macOS begins with 256, which thirty browsers use up

READING = ("GET", "HEAD", "OPTIONS")  # the methods that change nothing
OWN_SITES = ("same-origin", "none")  # Sec-Fetch-Site of our own pages and of the address bar
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


MIDDLEWARE = [Middleware(SecurityHeaders), Middleware(SameOrigin)]

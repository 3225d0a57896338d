"""What every request passes before Streamlit sees it, in ``app.py`` and in ``classroom.py``."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime.pages_manager import PagesManager

from dashboard.app.connections import raise_file_limit

# Streamlit would take the folder pages/ for its older kind of app until main.py has run once: a
# deep link, opened first, would come without main.py around it (docs/STREAMLIT.md, fact 6).
PagesManager.uses_pages_directory = False
raise_file_limit()  # macOS begins with 256, which thirty browsers use up

READING = ("GET", "HEAD", "OPTIONS")  # the methods that change nothing
OWN_SITES = ("same-origin", "none")  # Sec-Fetch-Site of our own pages and of the address bar
POLICY_VIOLATION = 1008  # a websocket's close code; before the handshake it is HTTP's 403


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


MIDDLEWARE = [Middleware(SameOrigin)]

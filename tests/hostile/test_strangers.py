"""Strangers on the network, through the real listeners: other sites, half requests, floods."""

import http.client
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from tests.browser.conftest import Server, start_server
from tests.support.ports import free_port

pytestmark = pytest.mark.slow

CODE, PASSPHRASE = "abc234", "a long passphrase"
FOREIGN = ("http://example.com", "https://127.0.0.1", "null", "http://[", "http://localhost:1")


@pytest.fixture(scope="module", params=["app.py", "classroom.py"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    yield from serve(tmp_path_factory.mktemp("strangers"), request.param)


@pytest.fixture(scope="module")
def class_server(tmp_path_factory: pytest.TempPathFactory):
    yield from serve(tmp_path_factory.mktemp("class"), "classroom.py")


def serve(folder: Path, app: str, **settings: str) -> Iterator[Server]:
    """A server; its url is the class's, if it serves one."""
    port = free_port()
    server = start_server(
        folder,
        app,
        GPT_LAB_CLASS_PORT=str(port),
        GPT_LAB_JOIN_CODE=CODE,
        GPT_LAB_PASSPHRASE=PASSPHRASE,
        **settings,
    )
    if app == "classroom.py":
        server.url = f"http://127.0.0.1:{port}"
    yield server
    assert server.end() == 0
    assert "Traceback" not in server.log.read_text()


def ask(
    server: Server, method: str, path: str, form: dict[str, str] | None = None, **headers: str
) -> tuple[int, dict[str, str], str]:
    """Return a request's status, headers and body; "_" in a header's name stands for "-"."""
    body = urlencode(form) if form is not None else None
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)) as asked:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        asked.request(method, path, body, named)
        answer = asked.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()


def open_websocket(server: Server, **headers: str) -> int:
    """Return with which status a websocket's handshake is answered."""
    return ask(
        server,
        "GET",
        "/_stcore/stream",
        Connection="Upgrade",
        Upgrade="websocket",
        Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==",
        Sec_WebSocket_Version="13",
        **headers,
    )[0]


def join(server: Server, name: str) -> str:
    """Let a student in and return the cookie."""
    status, headers, _ = ask(server, "POST", "/join", {"name": name, "code": CODE})
    assert status == 303
    return headers["set-cookie"].partition(";")[0]


def test_a_websocket_of_another_site_is_refused_and_nothing_calls_out(server: Server) -> None:
    is_class = "classroom" in server.log.read_text() or "Join code" in server.log.read_text()
    cookie = {"Cookie": join(server, "Ann")} if is_class else {}
    assert [open_websocket(server, Origin=site, **cookie) for site in FOREIGN] == [403] * 5
    assert open_websocket(server, Origin=server.url, **cookie) == 101
    assert open_websocket(server, **cookie) == 101  # a program, not a browser
    assert open_websocket(server, Sec_Fetch_Site="cross-site", **cookie) == 403
    forwarded = {"X_Forwarded_Host": "example.com", "X_Forwarded_Proto": "https"}
    assert open_websocket(server, Origin="https://example.com", **forwarded, **cookie) == 403
    assert server.network_log.read_text() == ""


def test_a_request_of_another_site_changes_nothing(server: Server) -> None:
    for method, path in (("PUT", "/_stcore/upload_file/a/b"), ("POST", "/join"), ("DELETE", "/")):
        for site in FOREIGN:
            assert ask(server, method, path, Origin=site)[0] == 403
        assert ask(server, method, path, Sec_Fetch_Site="same-site")[0] == 403
        assert "another site" not in ask(server, method, path, Origin=server.url)[2]
    assert server.network_log.read_text() == ""

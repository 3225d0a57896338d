"""What happens to the server while somebody trains: once each; the command tries them often."""

import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import streamlit
from playwright.sync_api import Browser, expect

from tests.browser.conftest import start_server
from tests.faults.server_faults import FAULTS

pytestmark = pytest.mark.slow

ALWAYS = "SIGKILL"
LOSES = "overwritten"  # what stood there is lost, and that is told


@pytest.mark.parametrize(
    "name",
    [
        name if ALWAYS in name else pytest.param(name, marks=pytest.mark.whole_run)
        for name in FAULTS
    ],
)
def test_the_app_survives_and_loses_nothing_that_was_acknowledged(
    name: str, browser: Browser, tmp_path: Path
) -> None:
    try:
        found = FAULTS[name](tmp_path, browser, 1)
    except PermissionError as error:
        pytest.skip(str(error))
    assert found.tried == 1
    assert found.rows_lost == 0 or LOSES in name


def test_a_client_that_stops_reading_does_not_keep_the_server_from_ending(
    browser: Browser, tmp_path: Path
) -> None:
    server = start_server(tmp_path)
    page = browser.new_page()  # the first visit starts the runner, which must be closed
    page.goto(server.url)
    expect(page.get_by_role("heading", name="Watch a GPT learn")).to_be_visible(timeout=60_000)
    static = Path(streamlit.__file__).parent / "static"
    largest = max(static.rglob("*.js"), key=lambda file: file.stat().st_size)
    where = urlsplit(server.url)
    request = f"GET /{largest.relative_to(static)} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n"
    with ExitStack() as clients:
        for _ in range(2):  # more than the operating system buffers
            client = clients.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((where.hostname, where.port))
            client.sendall(request.encode())
            assert client.recv(15) == b"HTTP/1.1 200 OK"
        assert server.end() == 0
    assert "Traceback" not in server.log.read_text()

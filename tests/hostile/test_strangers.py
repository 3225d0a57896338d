"""Strangers on the network, through the real listeners: other sites, half requests, floods."""

import http.client
import socket
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psutil
import pytest

from dashboard.classroom.door import OF_ADDRESS, OF_MEMBER, TOO_MANY
from dashboard.classroom.network import PROXY_URL
from gpt_core.access.roster import SCHOOL_DAY_HOURS
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
        return answer.status, dict(answer.getheaders()), answer.read().decode(errors="replace")


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


def test_a_cookie_is_replaced_only_after_it_was_asked(class_server: Server) -> None:
    cookie = join(class_server, "Ann <b>")
    assert "signed in as Ann &lt;b&gt;." in ask(class_server, "GET", "/join", Cookie=cookie)[2]
    form = {"name": "Ben", "code": CODE}
    status, headers, page = ask(class_server, "POST", "/join", form, Cookie=cookie)
    assert status == 409
    assert "set-cookie" not in headers
    assert page.count("Sign out Ann &lt;b&gt; in this browser") == 2  # for student and teacher
    status, headers, _ = ask(class_server, "POST", "/join", form | {"replace": "on"}, Cookie=cookie)
    assert status == 303
    assert headers["set-cookie"].startswith("gpt_lab_member=")
    assert f"Max-Age={SCHOOL_DAY_HOURS * 3600};" in headers["set-cookie"]  # as the membership


def test_a_form_that_is_too_large_is_refused(class_server: Server) -> None:
    assert ask(class_server, "POST", "/join", {"name": "x" * 10_000, "code": CODE})[0] == 413


def send_half(server: Server) -> socket.socket:
    """Return a connection that has sent half of a form."""
    where = urlsplit(server.url)
    client = socket.create_connection((where.hostname, where.port), timeout=60)
    start = f"POST /join HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: 100\r\n\r\nname=A"
    client.sendall(start.encode())
    return client


def test_half_a_form_is_given_up_and_keeps_no_server_from_ending(tmp_path: Path) -> None:
    serving = serve(tmp_path, "classroom.py")
    server = next(serving)
    with send_half(server) as first:
        assert first.recv(100).startswith(b"HTTP/1.1 408")
    with send_half(server), send_half(server):
        assert list(serving) == []  # it ended with code 0, without a traceback


@pytest.mark.whole_run
def test_a_flood_of_idle_connections_closes_no_door(tmp_path: Path) -> None:
    program = tmp_path / "few_files.py"
    program.write_text("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))")
    serving = serve(tmp_path, "classroom.py", ALSO_RUN=str(program))
    server = next(serving)
    cookie = join(server, "Ann")
    where = urlsplit(server.url)
    with ExitStack() as clients:
        for _ in range(600):
            clients.enter_context(socket.create_connection((where.hostname, where.port)))
        assert ask(server, "GET", "/join")[0] == 200
        assert ask(server, "GET", "/_stcore/host-config", Cookie=cookie)[0] == 200
        assert open_websocket(server, Origin=server.url, Cookie=cookie) == 101
        assert psutil.Process(server.process.pid).num_fds() < 256
    assert list(serving) == []
    assert "Too many open files" not in server.log.read_text()


def test_a_member_has_a_limited_number_of_connections_and_leaves_others_theirs(
    class_server: Server,
) -> None:
    ann, ben = join(class_server, "Ann"), join(class_server, "Ben")
    with ExitStack() as clients:
        for _ in range(OF_MEMBER):
            clients.enter_context(closing(keep_connection(class_server, ann)))
        assert open_websocket(class_server, Cookie=ann) == 403
        status, _, words = ask(class_server, "GET", "/_stcore/host-config", Cookie=ann)
        assert (status, words) == (503, TOO_MANY)
        assert open_websocket(class_server, Cookie=ben) == 101


def keep_connection(server: Server, cookie: str) -> socket.socket:
    """Return a member's connection, which stays open after an answer."""
    where = urlsplit(server.url)
    client = socket.create_connection((where.hostname, where.port), timeout=60)
    lines = (
        "GET /_stcore/host-config HTTP/1.1",
        f"Host: {where.netloc}",
        f"Cookie: {cookie}",
        "\r\n",
    )
    client.sendall("\r\n".join(lines).encode())
    assert client.recv(12) == b"HTTP/1.1 200"
    return client


@pytest.mark.whole_run
def test_forwarded_addresses_are_believed_from_a_named_proxy_alone(tmp_path: Path) -> None:
    forwarded = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "192.0.2.7"}
    form = {"name": "Ann", "code": CODE}
    for setting, is_secure in (({}, False), ({PROXY_URL: "https://class.example"}, True)):
        serving = serve(tmp_path / str(is_secure), "classroom.py", **setting)
        server = next(serving)
        status, headers, _ = ask(server, "POST", "/join", form, **forwarded)
        assert status == 303
        assert ("Secure" in headers["set-cookie"]) == is_secure
        cookie = headers["set-cookie"].partition(";")[0]
        site = {"Origin": "https://class.example", "Host": "class.example", "Cookie": cookie}
        assert (open_websocket(server, **site, **forwarded) == 101) == is_secure
        assert list(serving) == []


def test_sixty_wrong_codes_keep_out_nobody_who_knows_the_right_ones(class_server: Server) -> None:
    wrong = {"name": "Mallory", "code": "aaaaaa"}
    with ThreadPoolExecutor(60) as guessing:
        answers = list(guessing.map(lambda _: ask(class_server, "POST", "/join", wrong), range(60)))
    assert {status for status, _, _ in answers} == {403}
    join(class_server, "Cleo")
    assert ask(class_server, "POST", "/join", {"passphrase": PASSPHRASE})[0] == 303


@pytest.mark.whole_run
def test_a_flood_from_its_own_address_takes_no_request_that_waits_for_its_answer(
    class_server: Server,
) -> None:
    """Wrong codes wait for seconds; meanwhile others come, more than an address may have."""
    wrong = {"name": "Mallory", "code": "aaaaaa"}
    where = urlsplit(class_server.url)
    with ThreadPoolExecutor(60) as guessing, ExitStack() as flood:
        answers = [guessing.submit(ask, class_server, "POST", "/join", wrong) for _ in range(60)]
        wait(answers, return_when=FIRST_COMPLETED)  # they are there
        for _ in range(OF_ADDRESS + 100):
            flood.enter_context(socket.create_connection((where.hostname, where.port)))
        assert [answer.result()[0] for answer in answers] == [403] * 60


def test_every_answer_says_what_browsers_may_do_with_it(server: Server) -> None:
    for path in ("/", "/join", "/leave", "/_stcore/health", "/nowhere", "/join/font.woff2"):
        headers = {name.lower(): value for name, value in ask(server, "GET", path)[1].items()}
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
    _, headers, _ = ask(server, "POST", "/join", {}, Origin="http://example.com")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]

"""A class of three in real browsers: a door, names, and buttons that are one's own."""

import re
import signal
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, WebSocketRoute, expect

from gpt_core.store import RunStore
from gpt_core.store.database import WATCH_SECONDS
from tests.browser.conftest import (
    Server,
    assert_no_error_box,
    choose,
    listen,
    start_server,
    wait_until_settled,
)
from tests.browser.test_access import violations

pytestmark = pytest.mark.slow

ENDED = (0, -signal.SIGTERM)  # uvicorn, having tidied up, ends by the signal that it got
CODE, PASSPHRASE = "abc234", "a long passphrase"
HOSTILE = '"><img src=x onerror="window.hacked=1">'


@pytest.fixture(scope="module")
def class_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, class_port: int) -> Iterator[Server]:
    server = start_server(
        tmp_path_factory.mktemp("class"),
        "classroom.py",
        GPT_LAB_CLASS_PORT=str(class_port),
        GPT_LAB_JOIN_CODE=CODE,
        GPT_LAB_PASSPHRASE=PASSPHRASE,
    )
    yield server
    assert server.end() in ENDED
    assert "Traceback" not in server.log.read_text()


@pytest.fixture
def address(server: Server, class_port: int) -> str:
    """Where the class is reached, which is another address than the app's own."""
    return f"http://127.0.0.1:{class_port}"


@pytest.fixture
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    yield context
    context.close()


def join(page: Page, address: str, name: str, code: str = CODE) -> None:
    page.goto(address)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Join code").fill(code)
    page.get_by_role("button", name="Join").click()


def status(url: str, accept: str = "*/*", cookie: str = "") -> int:
    request = urllib.request.Request(url, headers={"Accept": accept, "Cookie": cookie})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def guess(url: str, code: str) -> tuple[int, str]:
    """Try a join code, without a browser; return the answer's status and what it says."""
    body = urllib.parse.urlencode({"name": "Mallory", "code": code}).encode()
    try:
        with urllib.request.urlopen(f"{url}/join", body, timeout=10) as answer:
            return int(answer.status), ""
    except urllib.error.HTTPError as error:
        alert = re.search('role="alert">(.*?)</p>', error.read().decode())
        return error.code, alert[1] if alert else ""


def test_the_server_says_what_it_opens(server: Server, class_port: int) -> None:
    log = server.log.read_text()
    assert f":{class_port}" in log
    assert f"Join code for students: {CODE}" in log
    assert f"The teacher's passphrase: {PASSPHRASE}" in log


def test_nobody_gets_anything_without_a_members_cookie(
    server: Server, address: str, visitor: BrowserContext
) -> None:
    for place in (server.url, address):
        for path in ("/_stcore/host-config", "/static/x.js", "/_stcore/upload_file/a/b"):
            assert status(place + path) == 401
            assert status(place + path, cookie="gpt_lab_member=guessed") == 401
        assert status(f"{place}/_stcore/health") == 200
    page = visitor.new_page()
    page.goto(f"{address}/train?run=x")  # which leads to the door, and remembers where to go
    expect(page.get_by_role("heading", name="Join the class")).to_be_visible()
    answer = page.evaluate(
        """(url) => new Promise((resolve) => {
            const socket = new WebSocket(url);
            socket.onopen = () => resolve("open");
            socket.onclose = () => resolve("closed");
        })""",
        address.replace("http", "ws") + "/_stcore/stream",
    )
    assert answer == "closed"


def test_a_wrong_code_is_refused_and_names_are_text(address: str, visitor: BrowserContext) -> None:
    page = visitor.new_page()
    join(page, address, HOSTILE, "wrong")
    expect(page.get_by_role("alert")).to_have_text("The join code is wrong: ask your teacher.")
    expect(page.get_by_label("Your name")).to_have_value(HOSTILE)
    assert violations(page) == []
    page.goto(f"{address}/join?next=//example.com/%22%3E%3Cscript%3Ewindow.hacked=1%3C/script%3E")
    expect(page.locator("input[name=next]").first).to_have_value("/")
    assert page.evaluate("window.hacked") is None


@pytest.mark.whole_run
def test_a_class_of_three_has_its_own_buttons_each(address: str, browser: Browser) -> None:
    contexts = [browser.new_context(viewport={"width": 1440, "height": 900}) for _ in range(3)]
    ann, ben, teacher = (context.new_page() for context in contexts)
    heard = [listen(page, address) for page in (ann, ben, teacher)]
    join(ann, address, "Ann")
    start = ann.get_by_role("button", name="Train a small GPT now")
    expect(start).to_be_visible(timeout=60_000)
    [cookie] = [c for c in contexts[0].cookies() if c["name"] == "gpt_lab_member"]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    wait_until_settled(ann)
    start.click()
    ann.wait_for_url("**/train?run=*", timeout=60_000)
    pause = re.compile("^(Pause|Stop)$")
    expect(ann.get_by_role("button", name=pause).first).to_be_visible(timeout=60_000)
    assert cookie["value"] not in ann.url

    ann.reload()  # she is who she was
    expect(ann.get_by_role("button", name=pause).first).to_be_visible(timeout=60_000)

    place = ann.url.removeprefix(address)
    join(ben, f"{address}{place}", "Ben")  # by a link that Ann sent him
    expect(ben.get_by_text("Epoch").first).to_be_visible(timeout=60_000)
    wait_until_settled(ben)
    assert ben.url.endswith(place)
    expect(ben.get_by_role("button", name=pause)).to_have_count(0)

    teacher.goto(f"{address}{place}")
    teacher.get_by_text("I am the teacher").click()
    teacher.get_by_label("Passphrase").fill(PASSPHRASE)
    teacher.get_by_role("button", name="Sign in").click()
    stop = teacher.get_by_role("button", name="Stop", exact=True).last
    expect(stop).to_be_visible(timeout=60_000)
    wait_until_settled(teacher)
    stop.click()
    expect(ben.get_by_text("stopped").first).to_be_visible(timeout=60_000)
    for page in (ann, ben, teacher):
        assert_no_error_box(page)
    assert heard == [[], [], []]
    for context in contexts:
        context.close()


def test_a_student_leaves_and_finds_their_runs_again_with_the_rejoin_code(
    address: str, browser: Browser
) -> None:
    contexts = [browser.new_context(viewport={"width": 1440, "height": 900}) for _ in range(2)]
    first, second = (context.new_page() for context in contexts)
    heard = [listen(page, address) for page in (first, second)]
    first.goto(f"{address}/leave")  # without a cookie the door, which then leads to Home
    fonts = "document.fonts.ready.then((all) => Array.from(all).map((font) => font.status))"
    assert first.evaluate(fonts) == ["loaded"]  # the app's
    first.get_by_label("Your name").fill(HOSTILE)
    first.get_by_label("Join code").fill(CODE)
    first.get_by_role("button", name="Join").click()
    expect(first.get_by_role("heading", name="Watch a GPT learn")).to_be_visible(timeout=60_000)
    assert urllib.parse.urlsplit(first.url).path == "/"
    wait_until_settled(first)
    first.goto(f"{address}/leave")
    expect(first.get_by_text(f"that you are {HOSTILE}.")).to_be_visible()
    code = first.locator("strong").inner_text()
    assert violations(first) == []
    first.get_by_role("button", name="Leave").click()
    expect(first.get_by_role("heading", name="Join the class")).to_be_visible()
    assert not [c for c in contexts[0].cookies() if c["name"] == "gpt_lab_member"]
    assert first.evaluate("window.hacked") is None

    join(second, address, HOSTILE, code)
    sidebar = second.get_by_test_id("stSidebar")
    expect(sidebar.get_by_text(f"{HOSTILE} · student")).to_be_visible(timeout=60_000)  # not "2"
    wait_until_settled(second)
    assert violations(second) == []
    sidebar.get_by_role("link", name="Leave the class").click()
    expect(second.get_by_role("heading", name="Leave the class?")).to_be_visible()
    second.get_by_role("link", name="Stay").click()
    expect(second.get_by_role("heading", name="Watch a GPT learn")).to_be_visible(timeout=60_000)
    assert heard == [[], []]
    for context in contexts:
        context.close()


def test_the_teachers_wall_and_a_student_who_is_sent_out(
    server: Server, address: str, browser: Browser
) -> None:
    contexts = [browser.new_context(viewport={"width": 1440, "height": 900}) for _ in range(3)]
    eve, teacher, phone = (context.new_page() for context in contexts)
    heard = [listen(page, address) for page in (teacher, phone)]
    teacher.goto(address)  # a teacher begins on Classroom
    teacher.get_by_text("I am the teacher").click()
    teacher.get_by_label("Passphrase").fill(PASSPHRASE)
    teacher.get_by_role("button", name="Sign in").click()
    expect(teacher.get_by_role("heading", name="Classroom")).to_be_visible(timeout=60_000)
    wait_until_settled(teacher)
    teacher.get_by_text("How to join").click()
    expect(teacher.get_by_alt_text("QR code of")).to_be_visible()
    link = str(teacher.get_by_alt_text("QR code of").get_attribute("alt"))
    phone.goto(f"{address}/join?{link.split('?')[1]}")  # as a phone that has seen the code
    expect(phone.get_by_label("Join code")).to_have_value(CODE)
    phone.get_by_label("Your name").fill("Phone")
    phone.get_by_role("button", name="Join").click()
    expect(phone.get_by_role("heading", name="Watch a GPT learn")).to_be_visible(timeout=60_000)

    join(eve, address, "Eve")
    start = eve.get_by_role("button", name="Train a small GPT now")
    expect(start).to_be_visible(timeout=60_000)
    wait_until_settled(eve)
    start.click()
    eve.wait_for_url("**/train?run=*", timeout=60_000)
    wall = teacher.get_by_role("figure", name=re.compile("Eve: (training|validation)"))
    expect(wall).to_be_visible(timeout=90_000)  # her curve, without a reload of the teacher's page
    expect(teacher.get_by_text("Eve").first).to_be_visible()
    wait_until_settled(teacher)
    assert violations(teacher) == []

    [cookie] = [c for c in contexts[0].cookies() if c["name"] == "gpt_lab_member"]
    token = cookie["value"]
    path = f"{address}/_stcore/host-config"
    assert status(path, cookie=f"gpt_lab_member={token}") == 200
    for guess in (token[:-1], token + "x", token.swapcase(), token[1:] + token[0], '""', "%00"):
        assert status(path, cookie=f"gpt_lab_member={guess}") == 401
    assert status(path, cookie=f"other={token}") == 401

    wait_until_settled(teacher)
    teacher.get_by_role("button", name="Remove a student").click()
    choose(teacher, "Who", "Eve")
    send = teacher.get_by_role("button", name="Remove", exact=True)
    expect(send).to_be_enabled(timeout=30_000)
    send.click()
    # Without a click of hers; at the door, if her page was just connecting again.
    gone = eve.get_by_role("heading", name="You are not in this class any more")
    door = eve.get_by_role("heading", name="Join the class")
    expect(gone.or_(door)).to_be_visible(timeout=60_000)
    expect(eve.get_by_role("button", name="Stop")).to_have_count(0)
    assert status(path, cookie=f"gpt_lab_member={token}") == 401
    eve.reload()
    expect(eve.get_by_role("heading", name="Join the class")).to_be_visible(timeout=60_000)
    stop = teacher.get_by_role("button", name="Stop", exact=True).first
    stop.click()
    for page in (eve, teacher, phone):
        assert_no_error_box(page)
    assert heard == [[], []]
    for context in contexts:
        context.close()


def test_a_page_that_was_away_when_its_student_was_sent_out_goes_to_the_door(
    server: Server, address: str, visitor: BrowserContext
) -> None:
    page = visitor.new_page()
    routes: list[WebSocketRoute] = []

    def connect(route: WebSocketRoute) -> None:
        route.connect_to_server()
        routes.append(route)

    page.route_web_socket(re.compile("/_stcore/stream"), connect)
    join(page, address, "Sleeper")
    expect(page.get_by_role("heading", name="Watch a GPT learn")).to_be_visible(timeout=60_000)
    wait_until_settled(page)
    with closing(RunStore(server.runs_dir)) as store:
        [member] = [row for row in store.class_store.members() if row.name == "Sleeper"]
        store.class_store.revoke_member(member.member_id, "teacher")
    time.sleep(2 * WATCH_SECONDS)  # the server is another process
    routes[-1].close()  # as when a laptop wakes up
    expect(page.get_by_role("heading", name="Join the class")).to_be_visible(timeout=60_000)


def test_what_trains_is_saved_when_the_class_ends(
    tmp_path_factory: pytest.TempPathFactory, visitor: BrowserContext
) -> None:
    server = start_server(
        tmp_path_factory.mktemp("ending"),
        "classroom.py",
        GPT_LAB_CLASS_PORT="0",
        GPT_LAB_JOIN_CODE=CODE,
    )
    page = visitor.new_page()
    join(page, server.url, "Ann")
    start = page.get_by_role("button", name="Train a small GPT now")
    expect(start).to_be_visible(timeout=60_000)
    wait_until_settled(page)
    start.click()
    page.wait_for_url("**/train?run=*", timeout=60_000)
    expect(page.get_by_text("running").first).to_be_visible(timeout=60_000)
    for _ in range(5):
        assert guess(server.url, "wrong") == (403, "The join code is wrong: ask your teacher.")
    assert guess(server.url, "x" * 5000)[0] == 413
    assert server.end() in ENDED
    with closing(RunStore(server.runs_dir)) as store:
        [run] = store.runs()
        assert (run.state, run.message) == ("interrupted", "The app was closed.")
        assert store.checkpoints(run.id)[-1].kind == "whole"
        [ann] = store.class_store.members()
        assert run.owner == ann.member_id

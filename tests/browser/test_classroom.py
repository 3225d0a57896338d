"""A class of three in real browsers: a door, names, and buttons that are one's own."""

import re
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from gpt_core import RunStore
from tests.browser.conftest import Server, start_server, wait_until_settled

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
    page.goto(f"{address}/join?next=//example.com/%22%3E%3Cscript%3Ewindow.hacked=1%3C/script%3E")
    expect(page.locator("input[name=next]").first).to_have_value("/")
    assert page.evaluate("window.hacked") is None


def test_a_class_of_three_has_its_own_buttons_each(address: str, browser: Browser) -> None:
    contexts = [browser.new_context(viewport={"width": 1440, "height": 900}) for _ in range(3)]
    ann, ben, teacher = (context.new_page() for context in contexts)
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
        assert page.get_by_test_id("stException").count() == 0
    for context in contexts:
        context.close()


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
    assert server.end() in ENDED
    with closing(RunStore(server.runs_dir)) as store:
        [run] = store.runs()
        assert (run.state, run.message) == ("interrupted", "The app was closed.")
        assert store.checkpoints(run.id)[-1]["kind"] == "whole"
        [ann] = store.class_book.members()
        assert run.owner == ann["member_id"]

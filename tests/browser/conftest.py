"""A real server and a real headless Chromium for the tests in this folder."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.support.network_watch import watched_environment
from tests.support.paths import ROOT

expect.set_options(timeout=20_000)  # CI runs other tests beside these

# The headings of the pages, by their names in the navigation and in its order.
PAGES = {
    "Home": "Watch a GPT learn",
    **{
        name: name
        for name in (
            *("Runs", "Glossary", "Tokens", "Model", "Loss", "Data", "Train", "Generate"),
            *("Weights", "Inside"),
        )
    },
}
CHOICES = 5  # at most, from a list
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what the open pages show: CI keeps no pictures."""
    report = yield
    browser = getattr(item, "funcargs", {}).get("browser")
    if call.when == "call" and report.failed and browser is not None:
        for page in (page for context in browser.contexts for page in context.pages):
            report.sections.append((f"What {page.url} shows", _shown(page)))
    return report


def _shown(page: Page) -> str:
    try:
        return page.locator("body").inner_text(timeout=5_000)
    except PlaywrightError as error:
        return str(error)


@dataclass
class Server:
    """A running ``streamlit run app.py`` and what it wrote."""

    url: str
    process: subprocess.Popen[bytes]
    runs_dir: Path
    log: Path
    network_log: Path

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:
                    if answer.read() == b"ok":
                        return
            except OSError:
                time.sleep(0.1)
        pytest.fail(f"the server did not come up: {self.log.read_text()}")

    def end(self, with_signal: int = signal.SIGTERM) -> int:
        """Signal the server and return its exit code; fail with all stacks if it does not end."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # PYTHONFAULTHANDLER writes the stacks
            self.process.wait()
            pytest.fail(f"the server did not end: {self.log.read_text()}")


def start_server(folder: Path, app: str = "app.py", **settings: str) -> Server:
    """Start the app as the README does, watched for attempts to reach another machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    watched, network_log = watched_environment(folder)
    log = folder / "server.log"
    environment = {
        **os.environ,
        "GPT_LAB_RUNS_DIR": str(folder / "runs"),
        **watched,
        "PYTHONWARNINGS": "default",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), watched.get("PYTHONPATH", "")]),
        **settings,
    }
    command = [sys.executable, "-m", "streamlit", "run", app, "--server.port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    server = Server(f"http://127.0.0.1:{port}", process, folder / "runs", log, network_log)
    server.wait_until_ready()
    return server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_server(tmp_path_factory.mktemp("server"))
    yield server
    server.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: .ci/run should have installed it")
        pytest.skip("no Chromium on the PATH: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture
def problems(page: Page, server: Server) -> Iterator[list[str]]:
    """What must not happen while a test looks: console errors, error boxes, tracebacks."""
    before = len(server.log.read_text())
    found = listen(page, server.url)
    yield found
    assert not found
    assert_no_error_box(page)
    assert "Traceback" not in server.log.read_text()[before:]


def assert_no_error_box(page: Page) -> None:
    """Look for Streamlit's own boxes, which say that something went wrong and not what."""
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_text("Uncaught app exception").count() == 0


def listen(page: Page, url: str) -> list[str]:
    """Return a list that fills with a page's console errors and requests to elsewhere."""
    found: list[str] = []

    def hear(message: object) -> None:
        text, place = message.text, message.location.get("url", "")  # type: ignore[attr-defined]
        # On a deep link Streamlit itself asks for its server's health below the page's path
        # before it finds the root, which is a 404 of its own making.
        is_probe = re.search(r"/[a-z]+/_stcore/(health|host-config)$", place)
        if message.type == "error" and not is_probe:  # type: ignore[attr-defined]
            found.append(f"{text} {place}")

    page.on("console", hear)
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on(
        "request",
        lambda request: (
            request.url.startswith((url, "data:", "blob:")) or found.append(request.url)
        ),
    )
    return found


def heading(page: Page, name: str) -> Locator:
    """Return the title of one of the pages."""
    return page.get_by_role("heading", name=PAGES[name], exact=True, level=1)


def go_to(page: Page, name: str) -> None:
    """Go to a page by the navigation, as people do, and wait until it is there."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
    expect(heading(page, name)).to_be_visible()
    wait_until_settled(page)


def unfold(page: Page, label: str) -> None:
    """Open a part of the page that may be folded."""
    part = page.locator(f"details:has(> summary:has-text('{label}'))").first
    if part.get_attribute("open") is None:
        part.locator("summary").first.click()


def choose(page: Page, label: str | re.Pattern[str], option: str) -> None:
    """Choose from a list by typing, again if the list closed as the script ran meanwhile."""
    box = page.get_by_role("combobox", name=label)
    chosen = page.get_by_role("option").filter(has_text=option).first
    for _ in range(CHOICES):
        wait_until_settled(page)
        box.fill(option)
        with suppress(PlaywrightTimeout):
            chosen.wait_for(timeout=5_000)  # else Enter would choose nothing
            box.press("Enter")
        box.press("Tab")  # what was typed and not chosen is dropped
        wait_until_settled(page)
        if option in box.input_value():
            return
    raise AssertionError(f"{option} could not be chosen: {label} is {box.input_value()}")


def set_epochs(page: Page, epochs: int) -> None:
    """Change the number of epochs in the form, on whichever page it stands."""
    unfold(page, "settings")
    page.get_by_role("tab", name="Optimizer").click()
    field = page.get_by_role("spinbutton", name="num_epochs")
    field.fill(str(epochs))
    field.press("Tab")
    expect(page.get_by_text("Changed from pocket: num_epochs.")).to_be_visible()
    wait_until_settled(page)


def wait_until(page: Page, expression: str, seconds: float = 30.0) -> None:
    """Wait for a JavaScript expression: Playwright's own wait needs eval, which pages refuse."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(50)


def open_page(page: Page, url: str) -> None:
    """Go to a page of the app and wait until its script has run once."""
    page.goto(url)
    wait_until_settled(page)


def wait_until_settled(page: Page) -> None:
    """Wait until the script has run: before that, what one wants to click may still move."""
    page.wait_for_selector(
        '[data-testid="stApp"][data-test-connection-state="CONNECTED"]'
        '[data-test-script-state="notRunning"]',
        timeout=60_000,
    )
    page.wait_for_timeout(300)

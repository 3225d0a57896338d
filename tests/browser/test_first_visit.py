"""A newcomer's first minute, in a real browser against a real server."""

import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from gpt_core import RunStore
from tests.browser.conftest import Server, open_page, start_server

pytestmark = pytest.mark.slow

POINTS = ".js-plotly-plot .scatterlayer .points path"


def start_from_home(page: Page, server: Server) -> None:
    open_page(page, server.url)
    page.get_by_role("button", name="Train a small GPT now").click()
    page.wait_for_url(re.compile(r"/train\?run=pocket-"))
    expect(page.locator(POINTS).nth(1)).to_be_visible(timeout=60_000)


def test_one_press_starts_a_run_whose_curve_moves_in_two_browsers_and_nothing_calls_out(
    server: Server, page: Page, browser: Browser, problems: list[str]
) -> None:
    start_from_home(page, server)
    before = page.locator(POINTS).count()
    expect(page.locator(POINTS).nth(before + 1)).to_be_visible(timeout=60_000)

    # A second browser and a reload see the same run, which went on meanwhile.
    second = browser.new_context().new_page()
    open_page(second, page.url)
    expect(second.locator(POINTS).nth(before + 1)).to_be_visible(timeout=60_000)
    second.context.close()
    page.reload()
    expect(page.locator(POINTS).nth(before + 2)).to_be_visible(timeout=60_000)
    expect(page.locator(".timeline .heading", has_text="Epoch 1").first).to_be_visible(
        timeout=60_000
    )

    main = page.get_by_test_id("stMain")
    main.get_by_role("button", name="Pause").click()
    expect(main.get_by_text("paused", exact=True)).to_be_visible(timeout=30_000)
    page.get_by_test_id("stSidebar").get_by_role("button", name="Resume").click()
    expect(main.get_by_text("running", exact=True)).to_be_visible(timeout=30_000)

    main.get_by_role("button", name="Stop").click()
    expect(main.get_by_text("stopped", exact=True)).to_be_visible(timeout=30_000)
    expect(main.get_by_text("Start a run")).to_be_visible(timeout=30_000)

    # The server was watched from its first line on.
    assert server.network_log.read_text() == ""
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    "ending", [pytest.param(signal.SIGINT, marks=pytest.mark.whole_run), signal.SIGTERM]
)
def test_the_server_ends_with_code_0_while_a_run_trains(
    ending: signal.Signals, page: Page, tmp_path: Path
) -> None:
    server = start_server(tmp_path)
    start_from_home(page, server)
    assert server.end(ending) == 0
    assert "Traceback" not in server.log.read_text()
    # What trained was saved on the way out, and can go on.
    store = RunStore(server.runs_dir)
    run = store.latest_run()
    assert run is not None
    assert (run.state, run.message) == ("interrupted", "The app was closed.")
    step = len(store.steps(run.id)) - 1
    assert (step, "whole") in [(c["global_step"], c["kind"]) for c in store.checkpoints(run.id)]
    store.close()

"""A run that a terminal trains: followed in the browser, and controlled from there."""

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from gpt_core.store import RunStore
from tests.browser.conftest import Server, open_page
from tests.support.terminal import terminal_run, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def store(server: Server) -> Iterator[RunStore]:
    with closing(RunStore(server.runs_dir)) as store:
        yield store


def steps_shown(page: Page) -> int:
    """Return how many steps the progress line of the Train page counts."""
    line = page.get_by_test_id("stMain").get_by_text(re.compile(r"Epoch [\d,]+ of .* steps"))
    found = re.search(r"([\d,]+) of [\d,]+ steps", line.first.inner_text())
    assert found is not None
    return int(found[1].replace(",", ""))


def wait_for_more(page: Page, steps: int) -> None:
    for _ in range(300):
        if steps_shown(page) > steps:
            return
        page.wait_for_timeout(100)
    pytest.fail(f"the page still shows {steps} steps")


def test_a_terminals_run_is_followed_paused_resumed_and_stopped(
    page: Page, server: Server, problems: list[str], store: RunStore
) -> None:
    with terminal_run(store) as process:
        open_page(page, f"{server.url}/train?run=theirs")
        main = page.get_by_test_id("stMain")
        expect(main.get_by_text("Another process trains it")).to_be_visible()
        wait_for_more(page, steps_shown(page))  # it draws as it trains

        main.get_by_role("button", name="Pause", exact=True).click()
        expect(main.get_by_role("button", name="One step")).to_be_enabled(timeout=30_000)
        expect(main.get_by_text("paused", exact=True).first).to_be_visible()
        stands = len(store.steps("theirs"))
        page.wait_for_timeout(1500)
        assert steps_shown(page) == len(store.steps("theirs")) == stands

        main.get_by_role("button", name="One step").click()
        expect(main.get_by_text(f"What step {stands:,} did")).to_be_visible(timeout=30_000)

        resume = main.get_by_role("button", name="Resume", exact=True)
        expect(resume).to_be_enabled(timeout=30_000)
        resume.click()
        wait_for_more(page, stands + 1)

        stop = main.get_by_role("button", name="Stop", exact=True)
        expect(stop).to_be_enabled(timeout=30_000)
        stop.click()
        out, err = process.communicate(timeout=60)
        assert "Stopped from the app." in err
        assert f"Paused from the app after {stands} steps" in out
        wait_for(store, "theirs", "stopped")
        expect(main.get_by_text("Another process trains it")).to_be_hidden(timeout=30_000)
    assert store.open_requests() == []

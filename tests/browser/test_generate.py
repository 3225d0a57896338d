"""The Generate page in a real browser: texts stream, Stop works, a token is branched."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, choose, open_page, wait_until_settled

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror='window.hacked=1'> $x$ **bold**"


def open_generate(page: Page, server: Server) -> None:
    open_page(page, f"{server.url}/generate")
    # The chapter's model is built first.
    expect(page.get_by_role("button", name="Write", exact=True)).to_be_visible(timeout=120_000)
    expect(page.locator(".live-chart.js-plotly-plot .bars").first).to_be_visible()
    choose(page, re.compile("Model"), "Untrained pocket")


def test_texts_come_token_by_token_stop_and_are_branched(
    page: Page, server: Server, problems: list[str]
) -> None:
    open_generate(page, server)
    page.get_by_label("Prompt").fill(HOSTILE)
    page.get_by_role("spinbutton", name="Tokens").fill("500")
    page.get_by_role("spinbutton", name="Tokens").press("Tab")
    wait_until_settled(page)
    page.get_by_role("button", name="Write", exact=True).click()
    notes = page.locator(".sample-list .note")
    expect(notes.first).to_have_text(re.compile(r"^\d+ of 500 tokens$"), timeout=30_000)
    early = notes.first.inner_text()
    expect(notes.first).not_to_have_text(early)  # they go on coming
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Write", exact=True)).to_be_enabled(timeout=30_000)
    expect(page.locator(".sample-list .prompt").first).to_have_text(HOSTILE)
    assert page.evaluate("window.hacked") is None

    chips = page.locator(".token-chips").first.locator(".chip")
    expect(chips.nth(3)).to_be_visible()
    before = chips.all_inner_texts()
    assert 1 < len(before) < 500
    wait_until_settled(page)
    chips.nth(1).click()
    go_on = page.get_by_role("button", name="Continue from it")
    expect(go_on).to_be_visible()
    wait_until_settled(page)
    go_on.click()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(chips.nth(1)).to_contain_text("yours", timeout=30_000)
    assert chips.nth(0).inner_text() == before[0]
    assert problems == []

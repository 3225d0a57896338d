"""The Inside page's whole text and its map of words, by keyboard."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import load_text
from tests.browser.conftest import Server, open_page, start_server
from tests.browser.test_access import violations
from tests.support.finished_runs import SHAPE, TRAINING

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run_id(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A finished run."""
    store = RunStore(tmp_path_factory.getbasetemp() / "inside" / "runs")
    runner = TrainingRunner(store, threads=1)
    preset = Preset("pocket", "Two layers.", SHAPE, TRAINING)
    run_id = runner.start(preset, load_text("counting"), actor="local")
    assert runner.wait(run_id, 60)
    runner.close()
    store.close()
    return run_id


@pytest.fixture(scope="module")
def server(run_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has the run."""
    server = start_server(tmp_path_factory.getbasetemp() / "inside")
    yield server
    server.end()


def test_a_token_and_a_word_are_chosen_by_keyboard(
    page: Page, server: Server, run_id: str, problems: list[str]
) -> None:
    open_page(page, f"{server.url}/inside?run={run_id}")
    text = page.get_by_role("listbox", name="The text in colour").get_by_role("option")
    expect(text).to_have_count(500, timeout=60_000)
    hint = page.locator(".running-text .hint")
    text.first.focus()
    expect(hint).to_contain_text("the first token")
    page.keyboard.press("ArrowDown")
    expect(hint).not_to_contain_text("the first token")
    page.keyboard.press("ArrowUp")
    expect(text.first).to_be_focused()
    page.keyboard.press("End")
    expect(text.last).to_be_focused()
    expect(hint).to_contain_text(re.compile(r"loss \d+\.\d+, p .* in the training text"))
    page.keyboard.press("Enter")
    own = page.get_by_label("Text", exact=True).and_(page.locator("textarea"))
    expect(own).to_have_value(re.compile(f"{re.escape(text.last.text_content() or '')}$"))

    words = page.get_by_role("listbox", name="Words on the plane").get_by_role("option")
    words.first.focus()
    page.keyboard.press("ArrowRight")
    expect(words.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(words.nth(1)).to_have_attribute("aria-selected", "true")

    assert violations(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(500)
    width = "document.querySelector('[data-testid=\"stMain\"]').scrollWidth"
    assert page.evaluate(width) <= 390

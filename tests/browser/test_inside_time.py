"""Time on the page Inside, in a real browser: its bar by keyboard, and its play button."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from gpt_core.store import RunState, RunStore
from tests.browser.conftest import Server, open_page, start_server
from tests.support.insides import inside_record
from tests.support.stored_runs import add_run

pytestmark = pytest.mark.slow

STEPS = (0, 5, 10, 20)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose store holds a run with four recorded moments."""
    folder = tmp_path_factory.mktemp("server")
    store = RunStore(folder / "runs")
    add_run(store)
    store.add_records("a-run", [(inside_record(step), float(step)) for step in STEPS])
    store.set_state("a-run", RunState.FINISHED, "ada")
    store.close()
    server = start_server(folder)
    yield server
    server.end()


def test_one_moves_through_the_moments_by_keyboard_and_plays_them(
    page: Page, server: Server, problems: list[str]
) -> None:
    open_page(page, f"{server.url}/inside?run=a-run")
    bar = page.get_by_label("Recorded moment")
    expect(bar).to_have_attribute("aria-valuetext", "step 20", timeout=60_000)
    bar.press("Home")
    expect(page.get_by_text("Shown: step 0, epoch 1")).to_be_visible()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()  # it does not play
    bar.press("ArrowRight")
    expect(page.get_by_text("Shown: step 5, epoch 1")).to_be_visible()
    page.wait_for_url("**&moment=5")
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_text("Shown: step 20, epoch 1")).to_be_visible()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()  # at its end
    page.wait_for_url("**&moment=20")

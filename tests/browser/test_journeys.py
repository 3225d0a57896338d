"""Whole ways through the app, as people go them, on servers that nobody has used before.

On each of them: no error box, no error in the browser's console, no traceback in the server's log.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from gpt_core.presets import PRESETS
from gpt_core.text import STORIES, load_text, prompt_of
from gpt_core.vocabularies import get_tokenizer
from tests.browser.conftest import (
    PAGES,
    Server,
    assert_no_error_box,
    choose,
    go_to,
    heading,
    listen,
    open_page,
    set_epochs,
    start_server,
    wait_until_settled,
)
from tests.support.documents import epub

pytestmark = pytest.mark.slow

POINTS = ".live-chart.js-plotly-plot [class*=scatterlayer] .points path"
BOOK = "my 'book' <b>&.epub"  # a name that would like to be markup
WHOLE_RUN_MS = 300_000  # the first run takes about a minute, and CI's machine may be slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = start_server(tmp_path)
    yield server
    assert server.end() == 0
    assert not list(server.runs_dir.glob("*-wal"))  # the record is closed, and whole in its file
    assert server.network_log.read_text() == ""  # watched from its first line on
    assert "Traceback" not in server.log.read_text()


def main_button(page: Page, name: str):
    return page.get_by_test_id("stMain").get_by_role("button", name=name, exact=True)


@pytest.mark.parametrize("ends", ["stopped", pytest.param("finished", marks=pytest.mark.whole_run)])
def test_from_the_first_visit_to_a_trained_model_that_writes(
    ends: str, page: Page, server: Server, browser: Browser, problems: list[str]
) -> None:
    open_page(page, server.url)
    page.get_by_role("button", name="Train a small GPT now").click()
    page.wait_for_url(re.compile(r"/train\?run=minute-"))
    expect(page.locator(POINTS).nth(1)).to_be_visible(timeout=60_000)
    before = page.locator(POINTS).count()
    expect(page.locator(POINTS).nth(before + 1)).to_be_visible(timeout=60_000)  # it moves

    # A second browser and a reload see the same run, which went on meanwhile.
    second = browser.new_context().new_page()
    heard = listen(second, server.url)
    open_page(second, page.url)
    expect(second.locator(POINTS).nth(before + 1)).to_be_visible(timeout=60_000)
    page.reload()
    expect(page.locator(POINTS).nth(before + 2)).to_be_visible(timeout=60_000)
    main = page.get_by_test_id("stMain")
    main_button(page, "Pause").click()
    for each in (main, second.get_by_test_id("stMain")):
        expect(each.get_by_text("paused", exact=True)).to_be_visible(timeout=30_000)
    page.get_by_test_id("stSidebar").get_by_role("button", name="Resume").click()
    expect(main.get_by_text("running", exact=True)).to_be_visible(timeout=30_000)
    assert heard == []
    second.context.close()

    # Every page can be looked at while it trains.
    for name in PAGES:
        go_to(page, name)
        assert_no_error_box(page)
    go_to(page, "Train")
    expect(page.locator(".sample-list .heading", has_text="Epoch 1").first).to_be_visible(
        timeout=60_000
    )
    if ends == "stopped":
        main_button(page, "Stop").click()
    expect(main.get_by_text(ends, exact=True)).to_be_visible(timeout=WHOLE_RUN_MS)
    if ends == "finished":
        epochs = PRESETS["minute"].training.num_epochs
        last = page.locator(".sample-list .heading", has_text=f"Epoch {epochs}")
        expect(last.first).to_be_visible()
    wait_until_settled(page)
    main_button(page, "Write").click()
    text = page.locator('.sample-list[aria-label="A text"] li')
    prompt = prompt_of(load_text(STORIES), get_tokenizer())
    expect(text).to_contain_text(prompt, timeout=60_000)
    expect(text.locator(".note")).to_contain_text("copied", timeout=60_000)


@pytest.mark.whole_run
def test_from_a_book_to_its_weights_and_back_in(
    page: Page, server: Server, problems: list[str], tmp_path: Path
) -> None:
    paragraphs = load_text("the-lamp-room").text.split("\n\n")
    chapter = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    book = tmp_path / BOOK
    book.write_bytes(epub(**{"OPS/ch1.xhtml": f"<html><body>{chapter}</body></html>".encode()}))

    open_page(page, f"{server.url}/data")
    page.get_by_text("Use your own text").click()
    page.locator("input[type=file]").set_input_files(book)
    expect(page.get_by_text("It begins: “THE LAMP ROOM")).to_be_visible(timeout=30_000)
    wait_until_settled(page)  # the spinner above the button has gone
    page.get_by_role("button", name="Save this text").click()
    expect(page.get_by_text("Your texts (1)")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Once through")).to_be_visible()
    assert page.locator("b", has_text="&.epub").count() == 0  # the name is no markup
    page.reload()  # it was kept
    wait_until_settled(page)
    choose(page, "Text", "my 'book'")
    set_epochs(page, 1)
    page.get_by_role("button", name="Measure how long it takes").click()
    expect(page.get_by_text("estimated from a few steps")).to_be_visible(timeout=90_000)
    wait_until_settled(page)
    page.get_by_role("button", name="Train on this text").click()
    page.wait_for_url(re.compile(r"/train\?run=pocket-"))
    expect(page.get_by_text(f"on {BOOK}").first).to_be_visible(timeout=30_000)
    main = page.get_by_test_id("stMain")
    expect(main.get_by_text("finished", exact=True)).to_be_visible(timeout=90_000)

    go_to(page, "Weights")
    page.get_by_role("button", name="Generate text").first.click()
    expect(heading(page, "Generate")).to_be_visible()
    write(page)

    go_to(page, "Weights")
    page.get_by_role("button", name=re.compile("^Export")).click()
    with page.expect_download() as waiting:
        page.get_by_test_id("stPopoverBody").get_by_role("button").first.click()
    taken = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(taken)
    page.keyboard.press("Escape")
    wait_until_settled(page)
    page.get_by_role("tab", name="A file of yours").click()
    page.locator("input[type=file]").set_input_files(taken)
    wait_until_settled(page)
    page.get_by_role("button", name="Add this model").click()
    expect(page.get_by_text(f"{taken.name} · uploaded")).to_be_visible(timeout=30_000)
    wait_until_settled(page)
    card = page.get_by_test_id("stVerticalBlock").filter(has_text=f"{taken.name} · uploaded").last
    card.get_by_role("button", name="Generate text").click()
    expect(heading(page, "Generate")).to_be_visible()
    write(page)
    expect(page.get_by_text(f"{taken.name}, uploaded").first).to_be_visible()


def write(page: Page) -> None:
    """Let the model that is chosen on Generate write under both settings."""
    button = main_button(page, "Write")
    expect(button).to_be_enabled(timeout=60_000)
    wait_until_settled(page)
    button.click()
    notes = page.locator(".sample-list .note")
    expect(notes).to_have_text(["40 tokens", "40 tokens"], timeout=60_000)
    wait_until_settled(page)


@pytest.mark.parametrize(
    "name",
    [name if name == "Loss" else pytest.param(name, marks=pytest.mark.whole_run) for name in PAGES],
)
def test_each_page_comes_with_its_frame_when_it_is_the_first_that_is_asked_for(
    name: str, page: Page, server: Server, problems: list[str]
) -> None:
    open_page(page, f"{server.url}/{'' if name == 'Home' else name.lower()}")
    expect(heading(page, name)).to_be_visible(timeout=60_000)
    navigation = page.get_by_test_id("stSidebarNav")
    expect(navigation.get_by_role("link")).to_have_text(list(PAGES))
    groups = navigation.get_by_test_id("stNavSectionHeader")
    expect(groups).to_contain_text(["The seven steps", "Beyond the chapter"])
    expect(page.get_by_text("No run yet")).to_be_visible()

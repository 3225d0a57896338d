"""From a book on one's disk to a run that trains on it, in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gpt_core import load_text
from tests.browser.conftest import Server, open_page, wait_until_settled
from tests.test_documents import epub

pytestmark = pytest.mark.slow

NAME = "my 'book' <b>&.epub"


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """An EPUB of our own story, with a name that would like to be markup."""
    paragraphs = load_text("the-lamp-room").text.split("\n\n")
    chapter = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    path = tmp_path / NAME
    path.write_bytes(epub(**{"OPS/ch1.xhtml": f"<html><body>{chapter}</body></html>".encode()}))
    return path


def test_a_book_is_uploaded_looked_at_measured_and_trained_on(
    page: Page, server: Server, book: Path, problems: list[str]
) -> None:
    open_page(page, f"{server.url}/data")
    page.get_by_text("Add a text of your own").click()
    page.locator("input[type=file]").set_input_files(book)
    expect(page.get_by_text("It begins: “THE LAMP ROOM")).to_be_visible(timeout=30_000)
    wait_until_settled(page)  # the spinner above the button has gone
    page.get_by_role("button", name="Keep this text").click()
    expect(page.get_by_text("Your texts (1)")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Once through")).to_be_visible()
    wait_until_settled(page)
    assert page.locator("b", has_text="&.epub").count() == 0  # the name is no markup

    page.get_by_role("button", name="Measure how long it takes").click()
    expect(page.get_by_text("from a few of its own steps")).to_be_visible(timeout=90_000)

    page.reload()  # it was kept
    wait_until_settled(page)
    page.get_by_text("Your texts (1)").click()
    expect(page.get_by_text(f"{NAME} · ").first).to_be_visible()

    page.get_by_role("combobox", name="Text").click()
    page.get_by_role("option", name=re.compile("my 'book'")).click()
    wait_until_settled(page)
    page.get_by_role("button", name="Train on this text").click()
    page.wait_for_url(re.compile(r"/train\?run=pocket-"))
    expect(page.get_by_text(f"pocket on {NAME}").first).to_be_visible(timeout=30_000)
    wait_until_settled(page)
    page.get_by_test_id("stMain").get_by_role("button", name="Stop").click()
    expect(page.get_by_text("stopped").first).to_be_visible(timeout=60_000)


def test_what_cannot_be_read_is_refused_in_the_page(
    page: Page, server: Server, tmp_path: Path, problems: list[str]
) -> None:
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF-1.4 <script>document.title='hacked'</script>")
    open_page(page, f"{server.url}/data")
    page.get_by_text("Add a text of your own").click()
    page.locator("input[type=file]").set_input_files(scan)
    expect(page.get_by_text("'scan.pdf' is damaged, or no PDF")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Keep this text")).to_have_count(0)
    assert page.title() != "hacked"

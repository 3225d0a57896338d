"""Data refuses what it cannot read, in a real browser; a book's whole way: test_journeys.py."""

from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Server, open_page
from tests.text.test_uploads import long_pdf

pytestmark = pytest.mark.slow


def test_what_cannot_be_read_is_refused_in_the_page(
    page: Page, server: Server, tmp_path: Path, problems: list[str]
) -> None:
    scan = tmp_path / "scan.pdf"
    scan.write_bytes(b"%PDF-1.4 <script>document.title='hacked'</script>")
    open_page(page, f"{server.url}/data")
    page.get_by_text("Use your own text").click()
    page.locator("input[type=file]").set_input_files(scan)
    expect(page.get_by_text("'scan.pdf' is damaged, or no PDF")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Save this text")).to_have_count(0)
    assert page.title() != "hacked"


def readers(server: Server) -> list[psutil.Process]:
    """Return the processes in which a server reads files."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    return [child for child in children if "gpt_core.system.sandbox" in child.cmdline()]


@pytest.mark.whole_run
def test_two_files_are_read_at_once_and_closing_their_tabs_ends_that(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    slow = tmp_path / "slow.pdf"
    slow.write_bytes(long_pdf())
    pages = [browser.new_page() for _ in range(3)]
    for page in pages:
        open_page(page, f"{server.url}/data")
        page.get_by_text("Use your own text").click()
        expect(page.locator("input[type=file]")).to_be_attached()
    for page in pages:
        page.locator("input[type=file]").set_input_files(slow)
        waiting = "Waiting for its turn" if page is pages[2] else "so far."
        expect(page.get_by_text(waiting)).to_be_visible()
    first, second = readers(server)
    pages[2].close()
    pages[0].close()
    first.wait(timeout=30)  # its own limit is later
    assert readers(server) == [second]
    pages[1].close()
    second.wait(timeout=30)

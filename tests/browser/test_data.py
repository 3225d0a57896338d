"""Data refuses what it cannot read, in a real browser; a book's whole way: test_journeys.py."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, open_page

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

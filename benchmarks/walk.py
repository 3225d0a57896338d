"""From an edit of the rows to the whole walk on the screen: ``python -m benchmarks.walk``.

The chapter's model, untrained, two rows of three tasks, in Chromium: from Ctrl+Enter until the
loss, and until the last of its numbers, has changed (B), by turns with the bare answer of the same
model to the same rows in this process (A). Once while nothing trains, and once while the chapter's
model trains in the app; then a copy of that model is asked for again and again.
"""

import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.pairs import measure_pairs, print_result
from gpt_core.model import build_model, loss_walkthrough
from gpt_core.presets import GPT_CONFIG_124M
from gpt_core.text import rows_to_batch
from gpt_core.vocabularies import get_tokenizer, text_to_token_ids
from tests.browser.conftest import CHROMIUM_FLAGS, open_page, start_server, unfold

EDITS = 8
ROWS = "every effort moves you\nI really like {}"
WORDS = ("tea", "cake", "books", "rain", "music", "bread", "snow", "trees")
FIRST, LAST = 0, 4  # which of the page's numbers: the loss on top, the one call's


def edit(page: Page, word: str, number: int) -> float:
    """Return the seconds from an edit until one of the page's numbers has changed."""
    value = page.get_by_test_id("stMetricValue").nth(number)
    before = value.text_content() or ""
    box = page.get_by_label("Rows, one per line", exact=True)
    box.fill(ROWS.format(word))
    began = time.perf_counter()
    box.press("Control+Enter")
    expect(value).not_to_have_text(before, timeout=60_000)
    return time.perf_counter() - began


def copy_again(page: Page) -> float:
    """Return the seconds from asking for a new copy of the live model until its loss is there."""
    value = page.get_by_test_id("stMetricValue").nth(FIRST)
    before = value.text_content() or ""
    button = page.get_by_role("button", name="Take a new copy")
    began = time.perf_counter()
    button.click()
    expect(value).not_to_have_text(before, timeout=60_000)
    return time.perf_counter() - began


def train_the_chapters_model(page: Page, url: str) -> str:
    """Start a run of the chapter's model in the app; return the query that names it."""
    open_page(page, f"{url}/train")
    unfold(page, "Start a run")  # where another run is shown
    page.get_by_role("combobox", name=re.compile("Model and training")).click()
    page.get_by_role("option", name="book-124m").click()
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/train\?run=book-124m-"))
    expect(page.get_by_text(re.compile(r"· [3-9] of [\d,]+ steps"))).to_be_visible(timeout=120_000)
    return page.url.split("?")[1]


def main() -> None:
    """Measure by turns and print the medians."""
    model = build_model(GPT_CONFIG_124M, 123)
    tokenizer = get_tokenizer()
    words = iter(WORDS * EDITS)

    def bare() -> float:
        rows = [text_to_token_ids(row, tokenizer)[0] for row in ROWS.format("tea").splitlines()]
        began = time.perf_counter()
        loss_walkthrough(model, *rows_to_batch(rows))
        return time.perf_counter() - began

    def edits(page: Page, number: int) -> dict[str, float]:
        edit(page, next(words), number)
        measured = measure_pairs(bare, lambda: edit(page, next(words), number), EDITS)
        return {name: round(value, 3) for name, value in measured.items()}

    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = start_server(Path(folder))
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        page = browser.new_page()
        open_page(page, f"{server.url}/loss")
        expect(page.get_by_test_id("stMetricValue").first).to_be_visible(timeout=120_000)
        results["idle_first_number"] = edits(page, FIRST)
        results["idle_last_number"] = edits(page, LAST)

        query = train_the_chapters_model(browser.new_page(), server.url)
        results["training_first_number"] = edits(page, FIRST)
        open_page(page, f"{server.url}/loss?{query}")
        expect(page.get_by_test_id("stMetricValue").first).to_be_visible(timeout=120_000)
        copies: list[float] = _repeat(lambda: copy_again(page), EDITS)
        results["training_new_copy"] = round(statistics.median(copies), 3)
        browser.close()
        server.end()
    print_result(benchmark="walk", seconds=results)


def _repeat(measure: Callable[[], float], times: int) -> list[float]:
    return [measure() for _ in range(times)]


if __name__ == "__main__":
    main()

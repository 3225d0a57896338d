"""Retake the screenshots in docs/: ``python -m tests.browser.screenshots``.

A fresh server, the run that Home's button starts, and each page at both widths, light
and dark, while the run is in its later half.
"""

import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from gpt_core.export import RECORDED_RUN
from gpt_core.presets import PRESETS
from tests.browser.conftest import CHROMIUM_FLAGS, ROOT, open_page, start_server

FOLDER = ROOT / "docs" / "screenshots"
SIZES = ((1440, 1250), (390, 1700))  # tall enough to show what one scrolls to
SCHEMES = ("light", "dark")


def take(
    browser: Browser, url: str, name: str, settled: str, sizes: Sequence[tuple[int, int]] = SIZES
) -> None:
    """Photograph a page in every look, once the text ``settled`` is on it."""
    for width, height in sizes:
        for scheme in SCHEMES:
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            page = context.new_page()
            open_page(page, url)
            there = page.get_by_text(settled).filter(
                visible=True
            )  # not in a hidden list of contents
            expect(there.first).to_be_visible(timeout=120_000)
            page.wait_for_timeout(2500)  # plotly's first drawing
            page.screenshot(path=FOLDER / f"{name}-{width}-{scheme}.png")
            context.close()


def main() -> None:
    """Take all screenshots."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("No Chromium on the PATH: apt-get install chromium")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = start_server(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        take(browser, server.url, "home", "Train a small GPT now")
        take(browser, f"{server.url}/tokens", "tokens", "From IDs back to text")
        take(browser, f"{server.url}/model", "model", "How “124M” is counted")
        take(browser, f"{server.url}/loss", "loss", "Every position")
        take(browser, f"{server.url}/generate", "generate", "Let a model write")
        take(browser, f"{server.url}/data", "data", "Before you start")
        page = browser.new_page()
        open_page(page, server.url)
        page.get_by_role("button", name="Train a small GPT now").click()
        page.wait_for_url("**/train?run=*")
        take(browser, page.url, "train", f"Epoch {PRESETS['minute'].training.num_epochs // 2}")
        recorded = f"{server.url}/train?run={RECORDED_RUN}"
        take(browser, recorded, "recorded", "The model overfits")
        take(browser, f"{recorded}&projector=1", "projector", "Epoch 10", SIZES[:1])
        runs = f"{server.url}/runs?{page.url.split('?')[1]}&run={RECORDED_RUN}"
        take(browser, runs, "runs", "2 runs side by side")
        take(browser, f"{server.url}/weights", "weights", "From elsewhere")
        take(browser, f"{server.url}/inside", "inside", "The way through the model")
        take(browser, f"{server.url}/glossary", "glossary", "Writing")
        browser.close()
        server.end(signal.SIGTERM)


if __name__ == "__main__":
    main()

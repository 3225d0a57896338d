"""One torch thread or all of them, while a page polls: ``python -m benchmarks.threads``.

The real server, the pocket run and a real Chromium that watches it, first with one thread (A),
then with all (B), by turns. Measured: tokens per second, and the time from a click on Pause to
the word "pausing" or "paused" on the page. Ratios are B over A.
"""

import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from benchmarks.pairs import print_result
from gpt_core.store import RunStore
from tests.browser.conftest import CHROMIUM_FLAGS, open_page, start_server

PAIRS, SECONDS, CLICKS = 3, 12.0, 4


def measure(browser: Browser, threads: int) -> tuple[float, float]:
    """Return tokens per second and the median milliseconds from click to change."""
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder), GPT_LAB_THREADS=str(threads))
        page = browser.new_page(bypass_csp=True)
        open_page(page, server.url)
        page.get_by_role("button", name="Learn a story by heart").click()
        page.wait_for_url("**/train?run=*")
        expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=60_000)
        store = RunStore(server.runs_dir)
        run = store.latest_run()
        assert run is not None
        time.sleep(2)
        first = store.last_steps(run.id, 1)[0]
        began = time.perf_counter()
        time.sleep(SECONDS)
        last = store.last_steps(run.id, 1)[0]
        speed = (last.tokens_seen - first.tokens_seen) / (time.perf_counter() - began)
        main = page.get_by_test_id("stMain")
        delays = []
        for _ in range(CLICKS):
            main.get_by_role("button", name="Pause").click()
            clicked = time.perf_counter()
            page.wait_for_function("/paus/.test(document.body.innerText)", polling=5)
            delays.append((time.perf_counter() - clicked) * 1000)
            main.get_by_role("button", name="Resume").click(timeout=30_000)
            expect(main.get_by_text("running", exact=True)).to_be_visible(timeout=30_000)
            time.sleep(1)
        page.close()
        store.close()
        server.end()
    return speed, statistics.median(delays)


def main() -> None:
    """Measure by turns and print the medians."""
    every = os.cpu_count() or 1
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        pairs = [(measure(browser, 1), measure(browser, every)) for _ in range(PAIRS)]
        browser.close()
    print_result(
        benchmark="threads",
        tokens_per_second={
            "one": statistics.median(a[0] for a, _ in pairs),
            "all": statistics.median(b[0] for _, b in pairs),
            "ratio": statistics.median(b[0] / a[0] for a, b in pairs),
        },
        click_to_change_ms={
            "one": statistics.median(a[1] for a, _ in pairs),
            "all": statistics.median(b[1] for _, b in pairs),
        },
    )


if __name__ == "__main__":
    main()

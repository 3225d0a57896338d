"""The Runs page over a large store: ``python -m benchmarks.runs``.

500 runs of 2,000 steps and evaluations each (B), by turns with 3 such runs (A), in Chromium on the
same machine: from the address to the table on the screen, and to the curves of three runs. Then
what a letter typed into the search takes in the browser, and what the server's memory grows to as
ever more runs are laid over each other.
"""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.pairs import measure_pairs, print_result
from gpt_core.presets import PRESETS
from gpt_core.records import EvaluationRecord, StepRecord
from gpt_core.store import RunState, RunStore
from tests.browser.conftest import CHROMIUM_FLAGS, Server, start_server

FEW, MANY, POINTS = 3, 500, 2000
VISITS = 5
CHOSEN = (3, 20, 100, 500, 500)  # runs laid over each other, one after the other
ROWS = ".run-table tbody tr"
LINES = ".live-chart.js-plotly-plot .scatterlayer .js-line"
TYPED = "learning_rate 0.00125"


def fill(folder: Path, runs: int) -> None:
    """Write down finished runs, each with its own learning rate."""
    store = RunStore(folder)
    pocket = PRESETS["pocket"]
    for i in range(runs):
        training = type(pocket.training)(learning_rate=(i + 1) / 100_000, num_epochs=100)
        name, text = f"run-{i:03d}", (f"Text {i % 7}", f"{i:064d}", 1280, 142)
        store.add_run(
            name, "ada", "pocket", pocket.model, training, *text, POINTS, {"threads": "2"}
        )
        records = []
        for k in range(POINTS):
            at = (k, 1 + k // 20, 128 * (k + 1))
            losses = (9 - k / 300 + i / 1000, 9 - k / 400 + i / 1000)
            records += [
                (StepRecord(*at, losses[0], 1.0, 1e-3), k * 0.1),
                (EvaluationRecord(*at, *losses), k * 0.1),
            ]
        store.add_records(name, records)
        store.set_state(name, RunState.FINISHED, "ada")
    store.close()


def seconds_until(browser: Browser, url: str, selector: str, count: int) -> float:
    """Return the seconds from an address to so many elements, for somebody who was here before."""
    page = browser.new_context().new_page()
    page.goto(url.split("/runs")[0])
    expect(page.get_by_role("heading", name="Watch a GPT learn")).to_be_visible(timeout=60_000)
    began = time.perf_counter()
    page.goto(url)
    expect(page.locator(selector)).to_have_count(count, timeout=120_000)
    seconds = time.perf_counter() - began
    page.context.close()
    return seconds


def search(page: Page) -> list[float]:
    """Type letter by letter; return the milliseconds until each has changed the page's layout."""
    return page.evaluate(
        """typed => [...typed].map((_, i) => {
            const box = document.querySelector(".run-table .search");
            const began = performance.now();
            box.value = typed.slice(0, i + 1);
            box.dispatchEvent(new Event("input"));
            document.querySelector(".run-table").getBoundingClientRect();
            return performance.now() - began;
        })""",
        TYPED,
    )


def megabytes(server: Server) -> int:
    """Return what the server's process holds."""
    return round(psutil.Process(server.process.pid).memory_info().rss / 1e6)


def main() -> None:
    """Measure by turns and print the medians."""
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        servers = {}
        for runs in (FEW, MANY):
            fill(Path(folder) / str(runs) / "runs", runs)
            servers[runs] = start_server(Path(folder) / str(runs))
        few, many = servers[FEW].url, servers[MANY].url
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        for url in (few, many):
            seconds_until(browser, f"{url}/runs?run=run-000", LINES, 2)  # what is made once
        memory = {"before": megabytes(servers[MANY])}
        three = "?run=run-000&run=run-001&run=run-002"
        for name, path, what, (a, b) in (
            ("table", "/runs", ROWS, (FEW, 100)),
            ("three_curves", f"/runs{three}", LINES, (3, 3)),
        ):
            measured = measure_pairs(
                lambda path=path, what=what, a=a: seconds_until(browser, few + path, what, a),
                lambda path=path, what=what, b=b: seconds_until(browser, many + path, what, b),
                VISITS,
            )
            results[name] = {key: round(value, 2) for key, value in measured.items()}
        memory["after_visits"] = megabytes(servers[MANY])

        page = browser.new_page()
        page.goto(f"{many}/runs")
        expect(page.locator(ROWS)).to_have_count(100, timeout=60_000)
        letters = search(page)
        results["search_ms_a_letter"] = round(statistics.median(letters), 1)
        results["search_ms_slowest_letter"] = round(max(letters), 1)
        assert page.locator(ROWS).count() == 1, "the search found something else"
        for count in CHOSEN:
            query = "&".join(f"run=run-{i:03d}" for i in range(count))
            took = seconds_until(browser, f"{many}/runs?{query}", LINES, count)
            results[f"seconds_to_{count}_curves"] = round(took, 1)
            key = f"after_{count}_curves"
            memory[key] = max(memory.get(key, 0), megabytes(servers[MANY]))
        results["memory_mb"] = memory
        browser.close()
        for server in servers.values():
            server.end()
    print_result(benchmark="runs", runs=MANY, points=POINTS, **results)


if __name__ == "__main__":
    main()

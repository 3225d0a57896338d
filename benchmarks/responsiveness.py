"""How fast each page answers: ``python -m benchmarks.responsiveness``.

In Chromium on the same two cores, first while nothing trains (A), then while ``book-124m`` trains
on both (B). Clicks: on each page one thing is done again and again, a second apart, from the click
or key, as the browser dates it, until the frame that shows what the server made of it. Visits:
somebody who was here before comes to a page by its address, until its title and what follows it are
there, and until the charts that one sees are drawn. The chapter's model, which three pages look
into, is built once before.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.pairs import print_result
from benchmarks.walk import ROWS, train_the_chapters_model
from gpt_core.export import RECORDED_RUN, import_recorded_run
from gpt_core.store import RunStore
from tests.browser.conftest import (
    CHROMIUM_FLAGS,
    PAGES,
    heading,
    open_page,
    start_server,
    wait_until_settled,
)

CLICKS, VISITS = 20, 3
CHARTS = {"Runs": 1, "Loss": 1, "Train": 1, "Generate": 1}  # at least, where one looks
DRAWN = "document.querySelectorAll('.live-chart.js-plotly-plot .main-svg').length"
# All charts that one sees.
SEEN_DRAWN = """[...document.querySelectorAll('.live-chart:not(.preload)')].every(chart =>
    chart.getBoundingClientRect().top > innerHeight || chart.querySelector('.main-svg'))"""
CONTENT = 'document.querySelectorAll(\'[data-testid="stMain"] [data-testid="stElementContainer"]\')'
# Looks before each frame in which something has changed, and at no other time, for a browser that
# is asked at each frame draws each. Nothing of Playwright's own is within what it measures: it goes
# through the page to find a button, and waits until that stands still.
WATCH = """() => {
    let pressed = null, frame = null;
    for (const kind of ['keydown', 'click'])
        addEventListener(kind, event => { pressed = event.timeStamp; }, true);
    window.answered = new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error('no answer within a minute')), 60_000);
        const watch = new MutationObserver(() => {
            frame ??= requestAnimationFrame(() => {
                frame = null;
                if (pressed === null || !(%s)) return;
                watch.disconnect();
                setTimeout(() => resolve(performance.now() - pressed));  // it is painted by then
            });
        });
        watch.observe(document, {
            subtree: true, childList: true, attributes: true, characterData: true,
        });
    });
}"""
WORDS = ("tea", "cake", "books", "rain", "music", "bread", "snow", "trees")


def timed(page: Page, act: Callable[[], None], until: str) -> float:
    """Return the seconds from an act's click or key until a condition holds and is painted."""
    assert not page.evaluate(until), until
    page.evaluate(WATCH % until)
    act()
    return float(page.evaluate("answered")) / 1000


def has_text(words: str) -> str:
    """Return a condition: words stand on the page."""
    return f"document.querySelector('[data-testid=\"stMain\"]').innerText.includes({words!r})"


def sent(page: Page, label: str, value: str, key: str, until: str) -> float:
    """Write into a field; return how long the answer takes from the key that sends it."""
    box = page.get_by_label(label, exact=True)
    box.fill(value)
    return timed(page, lambda: box.press(key), until)


def do_something(page: Page, name: str, i: int) -> float:
    """Do on a page what people do there, another time; return how long its answer took."""
    if name == "Home":  # the step's own link leaves the page: the navigation does, and back
        return switch(page, ("Runs", "Home")[i % 2])
    if name == "Runs":
        box = page.get_by_role("checkbox", name=f"Choose {RECORDED_RUN}", exact=True)
        is_there = has_text("Export")
        return timed(page, box.click, is_there if i % 2 == 0 else f"!{is_there}")
    if name == "Glossary":
        return switch(page, ("Model", "Glossary")[i % 2])
    if name == "Tokens":
        words = " ".join(WORDS[: 2 + i % 5]) + " " * (i % 2)
        chips = "document.querySelector('.token-chips').textContent"
        changed = f"{chips} != {page.evaluate(chips)!r}"
        return sent(page, "Your text", words, "Control+Enter", changed)
    if name == "Model":
        drawn = has_text(f"{3 + i} transformer blocks")
        return sent(page, "n_layers", str(3 + i), "Enter", drawn)
    if name == "Loss":
        loss = "document.querySelector('[data-testid=\"stMetricValue\"]').textContent"
        rows = ROWS.format(WORDS[i % len(WORDS)])
        changed = f"{loss} != {page.evaluate(loss)!r}"
        return sent(page, "Rows, one per line", rows, "Control+Enter", changed)
    if name == "Data":
        return sent(page, "batch_size", str(3 + i), "Enter", has_text(f"{3 + i} windows of"))
    if name == "Train":
        axis = ("Steps", "Tokens", "Minutes", "Epochs")[i % 4]
        title = ("Step", "Tokens seen", "Minutes of training", "Epochs")[i % 4]
        drawn = "document.querySelector('.live-chart').layout.xaxis.title.text"
        return timed(page, page.get_by_role("radio", name=axis).click, f"{drawn} == {title!r}")
    if name == "Generate":
        settings = (3, 1, 2)[i % 3]
        sliders = "document.querySelectorAll('[data-testid=\"stSlider\"]').length"
        return timed(
            page,
            page.get_by_role("radio", name=str(settings), exact=True).click,
            f"{sliders} == {3 + settings}",  # the nine words above have three
        )
    if name == "Inside":
        followed = "document.querySelector('.model-column .column').getAttribute('aria-label')"
        changed = f"{followed} != {page.evaluate(followed)!r}"
        chip = page.locator(".token-chips .chip").nth((2, 3, 4)[i % 3])  # all different words
        return timed(page, chip.click, changed)
    tab = ("A file of yours", "Large files", "OpenAI's GPT-2")[i % 3]
    selected = 'document.querySelector(\'[role="tab"][aria-selected="true"]\').textContent'
    return timed(page, page.get_by_role("tab", name=tab).click, f"{selected} == {tab!r}")


def switch(page: Page, name: str) -> float:
    """Go to a page by the navigation; return how long its title took to come."""
    link = page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True)
    title = f"document.querySelector('h1')?.textContent.includes({PAGES[name]!r})"
    return timed(page, link.click, title)


def visit(browser: Browser, url: str, name: str) -> tuple[float, float]:
    """Come to a page by its address; return the seconds to its first content and its charts."""
    page = browser.new_context(bypass_csp=True).new_page()
    open_page(page, f"{url}/glossary")  # somebody who was here before
    path = "" if name == "Home" else f"{name.lower()}?run={RECORDED_RUN}"
    began = time.perf_counter()
    page.goto(f"{url}/{path}", wait_until="commit")
    heading(page, name).wait_for(timeout=60_000)
    page.wait_for_function(f"{CONTENT}.length > 3", polling="raf", timeout=60_000)
    content = time.perf_counter() - began
    page.wait_for_function(f"{DRAWN} >= {CHARTS.get(name, 0)}", polling="raf", timeout=60_000)
    page.wait_for_function(SEEN_DRAWN, polling="raf", timeout=60_000)
    charts = time.perf_counter() - began
    page.context.close()
    return content, charts


def prepare(page: Page, url: str, name: str) -> None:
    """Open a page for clicks, and let everything on it come."""
    query = f"?run={RECORDED_RUN}" if name == "Train" else ""
    open_page(page, f"{url}/{'' if name == 'Home' else name.lower()}{query}")
    heading(page, name).wait_for(timeout=60_000)
    if name == "Loss":
        expect(page.get_by_test_id("stMetricValue").first).to_be_visible(timeout=120_000)
    if name == "Generate":
        expect(page.get_by_role("button", name="Write", exact=True)).to_be_visible(timeout=120_000)
    wait_until_settled(page)
    page.wait_for_timeout(1500)


def measure(browser: Browser, url: str) -> dict[str, dict[str, float]]:
    """Return what each page takes, in seconds."""
    found: dict[str, dict[str, float]] = {}
    for name in PAGES:
        page = browser.new_context(
            bypass_csp=True, viewport={"width": 1440, "height": 900}
        ).new_page()
        prepare(page, url, name)
        do_something(page, name, 0)  # what is made once
        page.wait_for_timeout(500)
        clicks = []
        for i in range(1, CLICKS + 1):
            clicks.append(do_something(page, name, i))
            page.wait_for_timeout(1000)
        page.context.close()
        visits = [visit(browser, url, name) for _ in range(VISITS)]
        found[name] = {
            "click_p50": round(statistics.median(clicks), 3),
            "click_p95": round(sorted(clicks)[int(0.95 * len(clicks)) - 1], 3),
            "click_worst": round(max(clicks), 3),
            "content": round(statistics.median(v[0] for v in visits), 2),
            "charts": round(statistics.median(v[1] for v in visits), 2),
        }
        print(name, found[name], flush=True)
    return found


def main() -> None:
    """Measure idle and while training, and print both."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = start_server(Path(folder))
        store = RunStore(server.runs_dir)
        import_recorded_run(store)
        store.close()
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        prepare(browser.new_page(bypass_csp=True), server.url, "Loss")  # builds the chapter's model
        idle = measure(browser, server.url)
        starting = browser.new_context(bypass_csp=True).new_page()
        train_the_chapters_model(starting, server.url)
        starting.context.close()
        training = measure(browser, server.url)
        browser.close()
        server.end()
    results: dict[str, Any] = {"idle": idle, "training": training}
    for what in ("click_p95", "content", "charts"):
        results[f"worst_{what}"] = max(page[what] for page in training.values())
    ratios = [training[name]["click_p95"] / idle[name]["click_p95"] for name in PAGES]
    results["click_p95_over_idle"] = round(statistics.median(ratios), 2)
    print_result(benchmark="responsiveness", **results)


if __name__ == "__main__":
    main()

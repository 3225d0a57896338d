"""The training room in a real browser: controls, one step, axes and zoom, verdicts, replay."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from gpt_core.analysis import BOOK_RUN
from gpt_core.analysis.reference_runs import BAND
from gpt_core.export import RECORDED_RUN
from gpt_core.store import RunStore
from tests.browser.conftest import (
    Server,
    open_page,
    set_epochs,
    start_server,
    unfold,
    wait_until,
    wait_until_settled,
)
from tests.support.curves import keep_chapter_run

pytestmark = pytest.mark.slow

CHART = ".live-chart.js-plotly-plot"
X_RANGE = f"document.querySelector('{CHART}').layout.xaxis.range.map(Number)"
CURVE = f"{CHART} [class*=scatterlayer] .points path"


def main_button(page: Page, name: str):
    return page.get_by_test_id("stMain").get_by_role("button", name=name, exact=True)


def number(page: Page, label: str) -> str:
    metric = page.get_by_test_id("stMetric").filter(has_text=label)
    return metric.get_by_test_id("stMetricValue").inner_text()


def start(page: Page, server: Server) -> str:
    """Start a pocket run of many epochs through the form; return its address."""
    open_page(page, f"{server.url}/train")
    unfold(page, "Start a run")
    set_epochs(page, 400)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/train\?run=pocket-"))
    expect(page.locator(CURVE).nth(1)).to_be_visible(timeout=90_000)
    return page.url


@pytest.mark.whole_run
def test_from_a_waiting_run_one_comes_to_the_one_that_trains(
    page: Page, server: Server, problems: list[str]
) -> None:
    running = start(page, server)
    unfold(page, "Queue another run")
    set_epochs(page, 1)
    page.get_by_role("button", name="Add to the queue").click()
    main = page.get_by_test_id("stMain")
    expect(main.get_by_text("queued", exact=True)).to_be_visible()
    expect(page).not_to_have_url(running)
    main_button(page, "Watch").click()
    expect(page).to_have_url(running)
    expect(main.get_by_text("Epoch 1 of 400")).to_be_visible()
    open_page(page, f"{server.url}/train")  # without an address it is what trains, not the newest
    expect(main.get_by_text(re.compile("Epoch .* of 400"))).to_be_visible()
    wait_until_settled(page)
    main_button(page, "Stop").first.click()
    expect(main.get_by_text("finished", exact=True)).to_be_visible(timeout=60_000)  # the other


@pytest.mark.whole_run
def test_points_arrive_a_reload_and_a_second_browser_show_the_same_and_the_controls_work(
    page: Page, browser: Browser, server: Server, problems: list[str]
) -> None:
    url = start(page, server)
    points = "document.querySelectorAll('" + CURVE + "').length"
    before = page.evaluate(points)
    wait_until(page, f"{points} > {before}")  # without a reload

    main_button(page, "Pause").click()
    expect(page.get_by_test_id("stMain").get_by_text("paused", exact=True)).to_be_visible(
        timeout=30_000
    )
    wait_until_settled(page)
    page.wait_for_timeout(1500)
    shown = [number(page, label) for label in ("Training loss", "Validation loss")]
    page.reload()
    expect(page.locator(CURVE).first).to_be_visible(timeout=60_000)
    assert [number(page, label) for label in ("Training loss", "Validation loss")] == shown
    other = browser.new_context().new_page()
    open_page(other, url)
    expect(other.locator(CURVE).first).to_be_visible(timeout=60_000)
    assert [number(other, label) for label in ("Training loss", "Validation loss")] == shown

    # One step: shown to both, and it is one.
    text = page.get_by_text(re.compile(r"of [\d,]+ steps")).inner_text()
    done = int(re.findall(r"([\d,]+) of", text)[-1].replace(",", ""))
    main_button(page, "One step").click()
    heading = re.compile(rf"What step {done:,} did")
    expect(page.get_by_role("heading", name=heading)).to_be_visible(timeout=30_000)
    expect(other.get_by_role("heading", name=heading)).to_be_visible(timeout=30_000)
    expect(page.get_by_text(f"{done + 1:,} of", exact=False).first).to_be_visible()
    expect(page.locator(f"{CHART} .barlayer").first).to_be_visible(timeout=30_000)
    assert float(number(page, "Largest weight change")) > 0
    other.context.close()

    main_button(page, "Resume").click()
    expect(page.get_by_test_id("stMain").get_by_text("running", exact=True)).to_be_visible(
        timeout=30_000
    )
    wait_until_settled(page)
    main_button(page, "Stop").click()
    expect(page.get_by_test_id("stMain").get_by_text("stopped", exact=True)).to_be_visible(
        timeout=30_000
    )
    expect(main_button(page, "Resume")).to_be_visible()


def zoom(page: Page) -> list[float]:
    """Zoom into the curve with the mouse; return its range of epochs."""
    page.locator(CHART).first.scroll_into_view_if_needed()
    box = page.locator(f"{CHART} .nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    page.wait_for_timeout(500)
    zoomed: list[float] = page.evaluate(X_RANGE)
    assert zoomed[1] < 9
    return zoomed


@pytest.mark.whole_run
def test_zoom_stays_within_an_axis_and_another_axis_has_its_own(
    page: Page, server: Server, problems: list[str]
) -> None:
    open_page(page, f"{server.url}/train?run={RECORDED_RUN}")
    expect(page.locator(CURVE).first).to_be_visible(timeout=60_000)
    zoomed = zoom(page)
    page.wait_for_timeout(6000)  # a tick of a page that rests
    assert page.evaluate(X_RANGE) == pytest.approx(zoomed)
    title = f"document.querySelector('{CHART}').layout.xaxis.title.text"
    page.get_by_role("radio", name="Steps").click()
    wait_until(page, f"{title} === 'Step'")
    assert page.evaluate(X_RANGE)[1] > 80
    page.get_by_role("radio", name="Perplexity").click()
    y_axis = f"document.querySelector('{CHART}').layout.yaxis"
    wait_until(page, f"{y_axis}.title.text === 'Perplexity'")
    assert page.evaluate(f"{y_axis}.type") == "log"


@pytest.mark.whole_run
def test_the_verdict_in_each_of_its_cases(page: Page, server: Server, problems: list[str]) -> None:
    near = {step: (a + 0.1, b) for step, (a, b) in BOOK_RUN.losses.items()}
    far = {step: (a + BAND.train_loss + 1, b) for step, (a, b) in BOOK_RUN.losses.items()}
    store = RunStore(server.runs_dir)
    keep_chapter_run(store, "equal", BOOK_RUN.losses)
    keep_chapter_run(store, "on-mps", near, device="mps")
    keep_chapter_run(store, "nearly", near)
    keep_chapter_run(store, "far", far)
    keep_chapter_run(store, "changed", far, learning_rate=1e-3)
    store.close()
    for run_id, words in (
        ("equal", "Yes, digit for digit: 18 of the book's 18 points"),
        ("on-mps", "As it should be: inside the band"),
        ("nearly", "Almost: inside the band"),
        ("far", "No: it is outside the band from step 0 on."),
        ("changed", "learning_rate is 0.001, 0.0004 in the chapter"),
    ):
        open_page(page, f"{server.url}/train?run={run_id}")
        expect(page.get_by_text(words, exact=False)).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Is mine right?")).to_be_hidden()
    expect(page.locator(CHART).first).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="The book's printed log").click()
    names = f"document.querySelector('{CHART}').data.map(t => t.name)"
    wait_until(page, f'{names}.includes("The book\'s printed log: validation")')


def test_the_recorded_run_on_a_fresh_machine_replayed_reloaded_and_projected(
    page: Page, tmp_path: Path
) -> None:
    server = start_server(tmp_path)
    open_page(page, server.url)
    page.get_by_role("button", name=re.compile("Watch a recorded run")).click()
    page.wait_for_url(re.compile(rf"/train\?run={RECORDED_RUN}&replay="))
    expect(main_button(page, "Pause")).to_be_visible(timeout=30_000)
    expect(page.locator(CURVE).nth(2)).to_be_visible(timeout=60_000)
    early = float(number(page, "Training loss"))
    page.reload()  # the moment goes on
    expect(page.locator(CURVE).nth(4)).to_be_visible(timeout=60_000)
    assert float(number(page, "Training loss")) < early
    expect(page.locator(".sample-list li").nth(1)).to_be_visible(timeout=60_000)
    pause_and_move_by_keyboard(page)

    page.get_by_role("button", name="Show on a projector").click()
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    expect(page.locator(".sample-list li")).to_have_count(1)
    page.get_by_role("button", name="Leave the projector").click()
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    page.get_by_role("button", name="End the replay").click()
    expect(page.get_by_text("90 of 90 steps")).to_be_visible(timeout=30_000)
    expect(page.locator(".sample-list mark").first).to_be_visible(timeout=30_000)
    assert server.end() == 0
    assert "Traceback" not in server.log.read_text()


def pause_and_move_by_keyboard(page: Page) -> None:
    """Pause a replay and move it with keys alone; the chart keeps its zoom and its place."""
    main_button(page, "Pause").press("Space")
    expect(main_button(page, "Play")).to_be_focused()
    wait_until_settled(page)
    chart, bar = page.locator(CHART).first, page.get_by_role("slider", name="Replayed up to step")
    zoomed = zoom(page)
    chart.evaluate("chart => { chart.dataset.mounted = 'once'; }")
    place = chart.bounding_box()
    shown = int(bar.input_value())
    bar.press("ArrowLeft")
    expect(page.get_by_text(f"· {shown} of 90 steps")).to_be_visible()  # the first is step 0
    expect(bar).to_be_focused()
    bar.press("Home")
    expect(page.get_by_text("· 1 of 90 steps")).to_be_visible()
    expect(page.locator(".sample-list li")).to_have_count(0)
    bar.press("End")
    expect(page.get_by_text("· 90 of 90 steps")).to_be_visible()
    expect(page.get_by_text("At step 85:")).to_be_visible()
    expect(page.locator(".sample-list li")).to_have_count(10)
    assert chart.get_attribute("data-mounted") == "once"
    assert page.evaluate(X_RANGE) == pytest.approx(zoomed)
    assert chart.bounding_box() == place


@pytest.mark.whole_run
def test_a_prompt_of_ones_own_is_written_on_as_text(
    page: Page, server: Server, problems: list[str]
) -> None:
    start(page, server)
    prompt = "<img src=x onerror=document.title='hacked'> The lamp"
    box = page.get_by_label(re.compile("Ask the model, as it is now"))
    box.fill(prompt)
    box.press("Tab")
    wait_until_settled(page)
    page.get_by_role("button", name="Write").click()
    entry = page.locator('.sample-list[aria-label="A text"] li')
    expect(entry).to_contain_text(prompt, timeout=30_000)
    expect(entry.locator(".note")).to_contain_text("copied", timeout=60_000)
    assert page.title() != "hacked"
    assert page.locator(".sample-list img").count() == 0
    time.sleep(1)
    main_button(page, "Stop").click()
    expect(page.get_by_test_id("stMain").get_by_text("stopped", exact=True)).to_be_visible(
        timeout=30_000
    )

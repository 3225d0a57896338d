"""The Runs page in a real browser: three runs compared, each download opened in what it is for."""

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lxml import etree
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from dashboard.charts import RUNS
from gpt_core.export import import_recorded_run
from gpt_core.store import RunStore
from tests.browser.conftest import Server, open_page, start_server, wait_until_settled
from tests.support.curves import keep_chapter_run

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror='window.hacked=1'> **bold** $x$"
ROWS = ".run-table tbody tr"
FIRST_CHART = 30_000  # milliseconds: plotly comes into the browser with it
LINES = ".live-chart.js-plotly-plot .scatterlayer .js-line"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose store holds four runs that differ in their learning rate."""
    folder = tmp_path_factory.mktemp("server")
    store = RunStore(folder / "runs")
    import_recorded_run(store)
    for run_id, rate in (("slow", 1e-4), ("chapter", 4e-4), ("fast", 1e-3)):
        losses = {
            step: (9.8 - step * 100 * rate, 9.9 - step * 40 * rate) for step in range(0, 90, 5)
        }
        keep_chapter_run(store, run_id, losses, learning_rate=rate)
    store.close()
    server = start_server(folder)
    yield server
    server.end()


def choose(page: Page, *names: str) -> None:
    for name in names:
        page.get_by_role("checkbox", name=f"Choose {name}", exact=True).check()
    wait_until_settled(page)


def shown(page: Page) -> list[str]:
    return page.locator(f"{ROWS} td.name a").all_inner_texts()


def download(page: Page, button: str) -> tuple[str, bytes]:
    wait_until_settled(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def take(page: Page, form: str) -> tuple[str, bytes]:
    page.get_by_role("radio", name=form, exact=True).click()
    wait_until_settled(page)
    return download(page, "Download")


def test_three_runs_are_found_as_one_types_chosen_and_compared(
    page: Page, browser: Browser, server: Server, problems: list[str]
) -> None:
    open_page(page, f"{server.url}/runs")
    expect(page.locator(ROWS)).to_have_count(4)
    search = page.get_by_role("searchbox", name="Search the runs")
    search.press_sequentially("verdict")
    expect(page.locator(ROWS)).to_have_count(3)
    search.press_sequentially(" learning_rate 0.001")  # all words count
    assert shown(page) == ["fast"]
    expect(page.locator(".run-table .count")).to_have_text("1 of 4 runs")
    search.fill("verdict")
    page.get_by_role("button", name="Lowest validation").click()  # the highest first
    assert shown(page) == ["slow", "chapter", "fast"]
    page.get_by_role("button", name="Lowest validation").click()
    assert shown(page) == ["fast", "chapter", "slow"]
    choose(page, "slow", "fast", "chapter")
    page.wait_for_url("**/runs?run=slow&run=fast&run=chapter")
    expect(page.get_by_role("heading", name="3 runs side by side")).to_be_visible()
    expect(page.locator(LINES)).to_have_count(3, timeout=FIRST_CHART)
    table = page.get_by_test_id("stDataFrame")
    expect(table).to_be_visible()
    for cell in ("learning_rate", "0.0001", "0.0004", "0.001"):
        expect(table.get_by_text(cell, exact=True)).to_have_count(1)
    expect(table.get_by_text("n_layers")).to_have_count(0)  # in that they are alike

    page.reload()
    expect(page.locator(f"{ROWS}.chosen")).to_have_count(3)
    expect(page.locator(LINES)).to_have_count(3, timeout=FIRST_CHART)
    other = browser.new_context().new_page()  # somebody who was sent the link
    open_page(other, page.url)
    expect(other.locator(LINES)).to_have_count(3, timeout=FIRST_CHART)
    other.context.close()
    page.get_by_role("checkbox", name="Choose fast", exact=True).uncheck()
    expect(page.locator(LINES)).to_have_count(2, timeout=FIRST_CHART)
    page.wait_for_url("**/runs?run=slow&run=chapter")
    assert problems == []


def test_the_chart_is_saved_as_a_picture(page: Page, server: Server) -> None:
    open_page(page, f"{server.url}/runs?run=slow&run=chapter&run=fast")
    expect(page.locator(LINES)).to_have_count(3, timeout=FIRST_CHART)
    name, data = download(page, "Save as PNG")
    assert name == "runs.png"
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.format == "PNG"
    assert image.width == 2400
    pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    for color in ("#ffffff", *RUNS[:3]):  # on white; each curve in its colour
        rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert (pixels == rgb).all(axis=1).sum() > 500, color
    name, data = download(page, "Save as SVG")
    assert name == "runs.svg"
    svg = etree.fromstring(data)
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    texts = "".join(svg.itertext())
    assert all(run in texts for run in ("slow", "chapter", "fast", "Validation loss", "Epochs"))


@pytest.mark.whole_run
def test_each_download_opens_in_what_it_is_for(page: Page, server: Server) -> None:
    open_page(page, f"{server.url}/runs?run=lamp-room-124m")
    expect(page.locator(LINES)).to_have_count(2, timeout=FIRST_CHART)
    name, data = download(page, "Download")
    assert name == "lamp-room-124m.csv"
    csv = pd.read_csv(io.BytesIO(data))
    assert (len(csv), csv["val_loss"].count()) == (90, 18)
    name, data = take(page, "Metrics, Parquet")
    assert name == "lamp-room-124m.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(data)), csv)
    for form, ending in (
        ("Notebook", "lamp-room-124m.ipynb"),
        ("Settings, JSON", "lamp-room-124m.settings.json"),
        ("Everything, JSON", "lamp-room-124m.json"),
    ):
        assert take(page, form)[0] == ending
    name, data = take(page, "TensorBoard")
    assert name == "lamp-room-124m.tensorboard.zip"
    (event_file,) = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert event_file.startswith("lamp-room-124m/events.out.tfevents.")


def test_a_run_is_named_opened_and_deleted(page: Page, server: Server, problems: list[str]) -> None:
    open_page(page, f"{server.url}/runs?run=slow")
    expect(page.locator(LINES)).to_have_count(2, timeout=FIRST_CHART)
    page.get_by_role("button", name="Edit name and note").click()
    page.get_by_role("textbox", name="Name").fill(HOSTILE)
    page.get_by_role("button", name="Save", exact=True).click()
    link = page.get_by_role("link", name=HOSTILE, exact=True)
    expect(link).to_be_visible()
    assert page.evaluate("window.hacked") is None
    page.keyboard.press("Escape")
    wait_until_settled(page)
    link.click()
    page.wait_for_url("**/train?run=slow")
    expect(page.get_by_test_id("stMain").get_by_text(HOSTILE, exact=True)).to_be_visible()
    page.get_by_role("link", name="Compare and export").click()
    page.wait_for_url("**/runs?run=slow")
    expect(page.locator(f"{ROWS}.chosen")).to_have_count(1)

    wait_until_settled(page)
    page.get_by_role("button", name="Delete", exact=False).click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.locator(ROWS)).to_have_count(3)
    page.wait_for_url(re.compile(r"/runs$"))
    expect(page.locator(f"{ROWS}.chosen")).to_have_count(0)
    assert problems == []


def test_the_table_works_from_the_keyboard(page: Page, server: Server) -> None:
    open_page(page, f"{server.url}/runs")
    page.get_by_role("searchbox", name="Search the runs").focus()
    for _ in range(20):  # past the headings to the first run's box
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('tbody') !== null"):
            break
    page.keyboard.press("Space")
    expect(page.locator(f"{ROWS}.chosen")).to_have_count(1)
    wait_until_settled(page)
    assert page.evaluate("document.activeElement.type") == "checkbox"  # where it was
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/train?run=*")

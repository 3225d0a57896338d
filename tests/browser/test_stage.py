"""The frame and the two components, in a real browser: what AppTest cannot see."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Server, open_page, start_server, wait_until

pytestmark = pytest.mark.slow

CHART = ".live-chart.js-plotly-plot"
POINTS = f"{CHART} [class*=scatterlayer] .points path"
TICK = 1100  # milliseconds


@pytest.fixture(scope="module")
def train_url(server: Server, browser: Browser) -> str:
    """The address of a run that trains; the other tests of this file watch it."""
    page = browser.new_page()
    open_page(page, server.url)
    page.get_by_role("button", name="Learn a story by heart").click()
    page.wait_for_url(re.compile(r"/train\?run=pocket-"))
    expect(page.locator(POINTS).nth(3)).to_be_visible(timeout=90_000)
    url = page.url
    page.close()
    return url


def x_range(page: Page) -> list[float]:
    return page.eval_on_selector(CHART, "chart => chart.layout.xaxis.range.map(Number)")


def shown_lines(page: Page) -> list[object]:
    return page.eval_on_selector(CHART, "chart => chart.data.map(line => line.visible ?? true)")


def points_sent(page: Page) -> int:
    return page.eval_on_selector(CHART, "chart => chart._fullData[0].x.length")


def zoom_by_dragging(page: Page) -> None:
    box = page.locator(f"{CHART} .nsewdrag").first.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.1, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, y, steps=12)
    page.wait_for_timeout(TICK)  # a tick comes in while the button is down
    page.mouse.up()


@pytest.mark.whole_run
def test_zoom_and_legend_survive_ticks_and_a_theme_switch_and_belong_to_one_tab(
    page: Page, browser: Browser, train_url: str, problems: list[str]
) -> None:
    open_page(page, train_url)
    expect(page.locator(POINTS).first).to_be_visible(timeout=60_000)
    whole = x_range(page)
    zoom_by_dragging(page)
    page.wait_for_timeout(500)
    zoomed = x_range(page)
    assert zoomed[1] - zoomed[0] < 0.7 * (whole[1] - whole[0])
    page.locator(f"{CHART} .legendtoggle").nth(1).click()
    wait_until(page, f"document.querySelector('{CHART}').data[1].visible === 'legendonly'")

    before = points_sent(page)
    page.wait_for_timeout(10 * TICK)
    assert points_sent(page) > before  # it has been redrawn meanwhile
    assert x_range(page) == pytest.approx(zoomed)
    assert shown_lines(page)[1] == "legendonly"

    colour = "getComputedStyle(document.querySelector('.live-chart .xtick text')).fill"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    wait_until(page, f"{colour} !== '{light}'")
    page.wait_for_timeout(4 * TICK)
    assert x_range(page) == pytest.approx(zoomed)
    assert shown_lines(page)[1] == "legendonly"

    other = browser.new_context().new_page()
    open_page(other, train_url)
    expect(other.locator(POINTS).first).to_be_visible(timeout=60_000)
    assert x_range(other) == pytest.approx(whole)
    assert shown_lines(other)[1] is True
    assert points_sent(other) >= before
    other.context.close()
    assert x_range(page) == pytest.approx(zoomed)

    # Another page and back, and a reload, bring the data again.
    seen = points_sent(page)
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Home").click()
    expect(page.get_by_role("heading", name="Watch a GPT learn")).to_be_visible()
    page.go_back()
    expect(page.locator(POINTS).first).to_be_visible(timeout=60_000)
    assert points_sent(page) >= seen
    page.reload()
    expect(page.locator(POINTS).first).to_be_visible(timeout=60_000)
    assert points_sent(page) >= seen


@pytest.mark.whole_run
def test_ten_page_switches_leave_nodes_and_listeners_flat(
    page: Page, train_url: str, problems: list[str]
) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")

    def switch() -> None:
        links = page.get_by_test_id("stSidebarNav")
        links.get_by_role("link", name="Home").click()
        expect(page.get_by_role("heading", name="Watch a GPT learn")).to_be_visible()
        links.get_by_role("link", name="Train").click()
        expect(page.locator(POINTS).first).to_be_visible(timeout=60_000)

    def counts() -> tuple[float, float]:
        page.wait_for_timeout(2 * TICK)
        devtools.send("HeapProfiler.collectGarbage")
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        by_name = {metric["name"]: metric["value"] for metric in metrics}
        return by_name["Nodes"], by_name["JSEventListeners"]

    open_page(page, train_url)
    for _ in range(3):
        switch()
    nodes, listeners = counts()
    for _ in range(10):
        switch()
    nodes_after, listeners_after = counts()
    # The run has grown meanwhile, by points and samples: not by ten charts of 1,000 nodes.
    assert nodes_after < 1.15 * nodes + 300
    assert listeners_after < 1.15 * listeners + 50


def test_a_chip_is_selected_by_keyboard_and_says_what_it_is(
    page: Page, train_url: str, problems: list[str]
) -> None:
    open_page(page, train_url)
    chips = page.get_by_role("listbox", name=re.compile("every effort moves you"))
    first, second = chips.get_by_role("option").nth(0), chips.get_by_role("option").nth(1)
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(second).to_be_focused()
    page.keyboard.press("Enter")
    expect(second).to_have_attribute("aria-selected", "true")
    hint = page.locator(".token-chips .hint").first
    expect(hint).to_contain_text("ID 6100 · 6 bytes: 20 6D 6F 76 65 73 · begins with a space")
    expect(hint).to_contain_text("the model would say")
    page.wait_for_timeout(2 * TICK)  # the selection outlives the ticks
    expect(second).to_have_attribute("aria-selected", "true")
    first.hover()
    expect(hint).to_contain_text("ID 3626")


@pytest.mark.whole_run
def test_five_thousand_chips_of_hostile_text_are_text_and_the_last_can_be_selected(
    page: Page, tmp_path: Path
) -> None:
    server = start_server(tmp_path, app="tests/browser/apps/five_thousand_chips.py")
    open_page(page, server.url)
    chips = page.locator(".token-chips .chip")
    expect(chips).to_have_count(5000)
    assert page.title() != "hacked"
    assert page.locator(".token-chips img").count() == 0
    chips.first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.get_by_text("selected: 4999")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("selected: None")).to_be_visible()
    server.end()

"""Everybody can use it: axe-core finds nothing serious, and what people write stays text."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, expect

from gpt_core.export import RECORDED_RUN, import_recorded_run
from gpt_core.library import label_run
from gpt_core.store import RunStore
from tests.browser.conftest import (
    PAGES,
    Server,
    assert_no_error_box,
    heading,
    listen,
    open_page,
    start_server,
    wait_until_settled,
)

pytestmark = pytest.mark.slow

AXE = next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js"))
SERIOUS = ("serious", "critical")
HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script> **b** $x$ :red[r]"
FIELDS = 'textarea, input[type="text"], input[type="search"], input:not([type])'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has a run to show, with a name and a note that would like to be markup."""
    folder = tmp_path_factory.mktemp("server")
    store = RunStore(folder / "runs")
    import_recorded_run(store)
    label_run(store, RECORDED_RUN, HOSTILE[:80], HOSTILE, actor="local")
    store.close()
    with sqlite3.connect(folder / "runs" / "runs.sqlite") as connection:
        connection.execute("UPDATE samples SET text = ? WHERE epoch = 10", (HOSTILE,))
    connection.close()
    server = start_server(folder)
    yield server
    server.end()


@pytest.fixture(scope="module", params=PAGES)
def shown(request: pytest.FixtureRequest, server: Server, browser: Browser) -> Iterator[Page]:
    """A page of the app with the recorded run, everything on it unfolded, for all tests here."""
    name: str = request.param
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    heard = listen(page, server.url)
    path = "" if name == "Home" else f"{name.lower()}?run={RECORDED_RUN}"
    open_page(page, f"{server.url}/{path}")
    expect(heading(page, name)).to_be_visible(timeout=60_000)
    for fold in ("Start a run", "All settings", "All other settings", "Use your own text"):
        summary = page.locator("summary", has_text=fold)
        if summary.count():
            summary.first.click()
            wait_until_settled(page)
    page.wait_for_timeout(1000)  # charts
    yield page
    assert_no_error_box(page)
    assert heard == []
    page.context.close()


def violations(page: Page) -> list[str]:
    """Return what axe-core finds that keeps somebody from using the page."""
    if page.evaluate("window.axe === undefined"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{finding['id']}: {node['html'][:200]}"
        for finding in found
        if finding["impact"] in SERIOUS
        for node in finding["nodes"]
    ]


def test_axe_finds_nothing_serious_on_a_page_light_or_dark(shown: Page) -> None:
    assert violations(shown) == []
    shown.emulate_media(color_scheme="dark")
    shown.wait_for_timeout(800)
    assert violations(shown) == []


def test_on_a_phone_nothing_is_wider_than_the_page(shown: Page) -> None:
    shown.set_viewport_size({"width": 390, "height": 844})
    shown.wait_for_timeout(800)
    width = "document.querySelector('[data-testid=\"stMain\"]').scrollWidth"
    assert shown.evaluate(width) <= 390
    shown.set_viewport_size({"width": 1440, "height": 900})


@pytest.mark.whole_run
def test_scripts_in_every_field_of_a_page_stay_text(shown: Page) -> None:
    fill_fields(shown)
    for tab in shown.get_by_role("tab").all():
        if tab.is_visible():
            tab.click()
            fill_fields(shown)
    shown.wait_for_timeout(500)
    assert shown.evaluate("window.hacked") is None
    planted = "[...document.querySelectorAll('img, script')].filter(e => /hacked|^x$/.test("
    assert shown.evaluate(planted + "e.textContent + e.getAttribute('src'))).length") == 0


def fill_fields(page: Page) -> None:
    """Write what would like to be a program into each field that one can write into."""
    for field in page.get_by_test_id("stMain").locator(FIELDS).all():
        if field.is_visible() and field.is_editable() and "hacked" not in field.input_value():
            most = field.get_attribute("maxlength")
            field.fill(HOSTILE[: int(most)] if most else HOSTILE)
            field.press("Control+Enter")
            field.press("Tab")
    wait_until_settled(page)


@pytest.mark.parametrize(
    ("motion", "animation"), [("no-preference", "recorded-curve-draw"), ("reduce", "none")]
)
def test_homes_curve_is_still_where_less_motion_is_asked_for(
    page: Page, server: Server, motion: str, animation: str
) -> None:
    page.emulate_media(reduced_motion=motion)  # type: ignore[arg-type]
    open_page(page, server.url)
    curve = page.get_by_role("img", name="Loss curve of the recorded run")
    expect(curve.locator("svg")).to_have_css("animation-name", animation)
    for name in ("training", "validation"):
        expect(curve.get_by_text(name)).to_have_css("opacity", "0.75")  # drawn, at its end
    lines = curve.locator("polyline").all()
    assert all(line.get_attribute("points").count(" ") == 17 for line in lines)  # 18 evaluations

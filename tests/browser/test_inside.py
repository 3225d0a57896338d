"""The page Inside in a real browser: through its parts by keyboard alone, and what is drawn."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Server, open_page, wait_until, wait_until_settled
from tests.browser.test_access import violations

pytestmark = pytest.mark.slow

IS_DRAWN = """[...document.querySelectorAll('.attention-maps canvas')].every((canvas) =>
    canvas.width > 0 && canvas.getContext('2d')
        .getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0))"""


def listbox(page: Page, name: str) -> Locator:
    return page.get_by_role("listbox", name=re.compile(name))


def stop_of(place: Locator) -> Locator:
    """Return the one part of a list that the Tab key reaches."""
    return place.locator('[tabindex="0"]')


def test_a_walk_through_the_parts_by_keyboard_alone(
    page: Page, server: Server, problems: list[str]
) -> None:
    open_page(page, f"{server.url}/inside?model=pocket")
    column = page.locator(".model-column .column")
    expect(column).to_have_attribute("aria-label", re.compile("“·cat”"), timeout=60_000)
    stop_of(listbox(page, "The tokens of the text")).press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(column).to_have_attribute("aria-label", re.compile("“·saw”"))

    attention = column.get_by_role("button", name=re.compile("^Attention of layer 0"))
    attention.press("Enter")
    expect(attention).to_have_attribute("aria-expanded", "true")
    switch = column.get_by_role("switch", name="Head 0.1", exact=True)
    switch.press("Space")
    sentence = page.locator(".model-column .sentence")
    expect(sentence).to_have_text(re.compile(r"^Without head 0\.1 the loss (rises|falls|stays)"))
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(switch).to_be_focused()
    attention.press("ArrowDown")
    expect(column.get_by_role("button", name=re.compile("^Attention of layer 1"))).to_be_focused()
    column.get_by_role("button", name="Show the attention of head 0.2").press("Enter")

    maps = listbox(page, "All heads")
    expect(stop_of(maps)).to_have_accessible_name(re.compile("^Head 0.2"))
    wait_until(page, IS_DRAWN)
    stop_of(maps).press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".attention-maps .title")).to_have_text(re.compile("^Head 1.2"))
    expect(page).to_have_url(re.compile(r"head=1\.2"))
    rows = listbox(page, "The tokens that look")
    stop_of(rows).press("ArrowDown")
    expect(page.locator(".attention-maps .readout")).to_have_text(re.compile("^·the looks at "))
    page.keyboard.press("Enter")
    expect(column).to_have_attribute("aria-label", re.compile("“·the”"))

    wait_until_settled(page)  # the lens is drawn again for that token, which takes its row back
    lens = page.get_by_role("grid", name=re.compile("^Logit lens of"))
    stop_of(lens).press("ArrowDown")
    expect(page.locator(".lens-table .hint")).to_have_text(re.compile("^After ·dog, layer 2: "))
    page.keyboard.press("Enter")
    expect(column).to_have_attribute("aria-label", re.compile("“·dog”"))

    page.reload()  # the address holds all of it
    expect(column).to_have_attribute("aria-label", re.compile("“·dog”"), timeout=60_000)
    expect(sentence).to_have_text(re.compile(r"^Without head 0\.1 "))
    expect(page.locator(".attention-maps .title")).to_have_text(re.compile("^Head 1.2"))

    column.get_by_role("button", name=re.compile("^Attention of layer 0")).press("Enter")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.wait_for_timeout(800)
        assert violations(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(800)
    width = "document.querySelector('[data-testid=\"stMain\"]').scrollWidth"
    assert page.evaluate(width) <= 390
    wait_until(page, IS_DRAWN)


def test_text_that_would_like_to_be_markup_stays_text_in_every_part(
    page: Page, server: Server, problems: list[str]
) -> None:
    text = "<img src=x onerror=window.hacked=1><b>x</b>"
    open_page(page, f"{server.url}/inside?model=pocket&text={text.replace('=', '%3D')}")
    expect(page.locator(".lens-table .cell").first).to_be_visible(timeout=60_000)
    assert page.evaluate("window.hacked") is None
    assert page.locator("[data-testid=stMain] img[src=x]").count() == 0
    expect(page.locator(".lens-table tbody th").nth(1)).to_have_text("img")

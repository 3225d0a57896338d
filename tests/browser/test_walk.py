"""The walk from a sentence to its perplexity in a real browser: Tokens, Model and Loss."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, go_to, open_page

pytestmark = pytest.mark.slow

HOSTILE = "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">"
CHIPS = ".token-chips .chip"


def fill(page: Page, label: str, text: str) -> None:
    box = page.get_by_label(label, exact=True)
    box.fill(text)
    box.press("Control+Enter")


def listbox(page: Page, name: str):
    return page.get_by_role("listbox", name=re.compile(name))


def test_the_lectures_walk_from_its_rows_to_perplexity(
    page: Page, server: Server, problems: list[str]
) -> None:
    open_page(page, server.url)
    go_to(page, "Tokens")
    fill(page, "Your text", "every effort moves you")
    tokens = listbox(page, "The tokens of your text").get_by_role("option")
    expect(tokens).to_have_count(4)
    for i, token_id in enumerate((16833, 3626, 6100, 345)):
        expect(tokens.nth(i)).to_have_accessible_name(re.compile(f"ID {token_id}"))

    go_to(page, "Model")
    expect(page.get_by_text("162,419,712").first).to_be_visible(timeout=30_000)
    expect(page.get_by_text("12 transformer blocks")).to_be_visible()

    go_to(page, "Loss")
    targets = listbox(page, "Target tokens and their probabilities")
    expect(targets.get_by_role("option")).to_have_count(6, timeout=60_000)
    for name, proba in (
        *(("p11", "7.454e-05"), ("p12", "3.106e-05"), ("p13", "1.156e-05")),
        *(("p21", "1.034e-05"), ("p22", "5.678e-05"), ("p23", "4.756e-06")),
    ):
        expect(targets.get_by_text(f"{name} {proba}")).to_be_visible()
    expect(targets.get_by_role("group")).to_have_count(2)
    expect(targets.get_by_role("option").nth(5)).to_have_accessible_name(
        "·chocolate, ID 11311, p23 4.756e-06"
    )
    expect(page.get_by_text("Row 1 reads: “ Armed heNetflix”")).to_be_visible()
    expect(page.get_by_test_id("stMetricValue").first).to_have_text("10.7940")
    perplexity = page.get_by_text(re.compile(r"^As unsure as if it chose among 48,72[5-6]\.\d "))
    expect(perplexity).to_be_visible()
    code = page.get_by_text("def loss_walkthrough(")
    expect(code).to_have_count(0)  # made for those who look
    page.get_by_text("Show the code: loss_walkthrough", exact=True).click()
    expect(code).to_be_visible()
    assert page.locator(".katex").count() >= 12
    assert page.locator(".katex-error").count() == 0
    charts = page.locator(".live-chart.js-plotly-plot")
    places = page.locator(".live-chart[aria-label]")
    expect(places).to_have_count(7, timeout=30_000)
    for i in range(7):  # drawn as one comes near
        places.nth(i).scroll_into_view_if_needed()
    expect(charts).to_have_count(7, timeout=30_000)
    for i in range(7):  # each says in words what it shows
        assert len(charts.nth(i).get_attribute("aria-label") or "") > 20


def test_an_edit_changes_the_loss_and_hostile_rows_stay_text(
    page: Page, server: Server, problems: list[str]
) -> None:
    open_page(page, f"{server.url}/loss")
    loss = page.get_by_test_id("stMetricValue").first
    expect(loss).to_have_text("10.7940", timeout=60_000)
    fill(page, "Rows, one per line", "one two three\n$x$ `y` 🙂 مرحبا")
    expect(loss).not_to_have_text("10.7940")
    expect(page.get_by_text("Equal, as far as float32 can tell.")).to_be_visible()
    fill(page, "Rows, one per line", "<script>a()</script>\n<b>x</b>")
    expect(listbox(page, "Target tokens").get_by_text("script", exact=True).first).to_be_visible()
    fill(page, "Rows, one per line", HOSTILE)
    expect(page.get_by_text("give it 2 to 17")).to_be_visible()
    page.wait_for_timeout(500)
    assert page.title() != "hacked"
    assert page.locator("img[src=x]").count() == 0


def test_a_hostile_text_is_only_tokens(page: Page, server: Server, problems: list[str]) -> None:
    open_page(page, f"{server.url}/tokens")
    tokens = listbox(page, "The tokens of your text").get_by_role("option")
    expect(tokens).to_have_count(4)
    fill(page, "Your text", HOSTILE)
    expect(tokens.first).to_have_text(re.compile("<"))
    fill(page, "Your text", "x" * 10_000)  # few long words
    fill(page, "Your text", "never the same " * 660)  # 9,900 characters, 1,981 tokens
    expect(tokens).to_have_count(1981, timeout=30_000)
    tokens.first.focus()
    page.keyboard.press("End")
    expect(tokens.last).to_be_focused()
    assert page.title() != "hacked"
    assert page.locator("img[src=x]").count() == 0


def test_the_merges_can_be_followed_by_keyboard(
    page: Page, server: Server, problems: list[str]
) -> None:
    open_page(page, f"{server.url}/tokens")
    merges = listbox(page, "The merges of “ effort”")
    expect(merges.get_by_role("group")).to_have_count(7)
    expect(merges.get_by_role("group").last).to_have_accessible_name("merge 3,371")
    merges.get_by_role("option").first.focus()
    page.keyboard.press("End")
    last = merges.get_by_role("option").last
    expect(last).to_be_focused()
    expect(last).to_have_accessible_name("new, ·effort, ID 3626")
    expect(page.get_by_text("merge 3,371 of 50,000")).to_be_visible()


def test_the_drawing_follows_the_configuration(
    page: Page, server: Server, problems: list[str]
) -> None:
    open_page(page, f"{server.url}/model")
    expect(page.get_by_text("162,419,712").first).to_be_visible(timeout=30_000)
    box = page.get_by_label("n_layers", exact=True)
    box.fill("3")
    box.press("Enter")
    expect(page.get_by_text("3 transformer blocks")).to_be_visible()
    box = page.get_by_label("n_heads", exact=True)
    box.fill("7")
    box.press("Enter")
    expect(page.get_by_text("is not divisible by n_heads=7")).to_be_visible()


@pytest.mark.whole_run
def test_the_probes_of_a_run_come_in_while_one_watches_the_loss_page(
    page: Page, server: Server, problems: list[str]
) -> None:
    open_page(page, server.url)
    page.get_by_role("button", name="Learn a story by heart").click()
    page.wait_for_url(re.compile(r"/train\?run=pocket-"))
    run = page.url.split("?")[1]
    open_page(page, f"{server.url}/loss?{run}")
    expect(page.get_by_text(re.compile(r": [2-9] evaluations")).first).to_be_visible(timeout=60_000)
    expect(page.get_by_text(re.compile(r": ([3-9]|\d\d) evaluations")).first).to_be_visible(
        timeout=60_000
    )
    row = page.get_by_text(re.compile("every effort moves you .* loss")).first
    latest = row.text_content() or ""
    slider = page.get_by_role("slider", name="At step")
    slider.focus()
    page.keyboard.press("Home")
    expect(row).not_to_have_text(latest)
    first = row.text_content() or ""
    page.wait_for_timeout(4000)  # new evaluations leave the one that is looked at
    expect(row).to_have_text(first)

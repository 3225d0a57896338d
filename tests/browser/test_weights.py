"""Weights in a real browser: a model is brought in, lets itself be written with, and trains on."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Page, expect

from gpt_core.model import build_model
from gpt_core.weights import export_gpt2
from tests.browser.conftest import Server, open_page, start_server, wait_until_settled
from tests.conftest import TINY
from tests.support.hub_server import Hub, serve_hub

pytestmark = pytest.mark.slow

GPT2 = replace(TINY, emb_dim=64, n_heads=1, qkv_bias=True)  # as wide as one of GPT-2's heads
HOSTILE = "<img src=x onerror='window.hacked=1'> $x$ ![y](data:,y).pth"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, str]]:
    folder = tmp_path_factory.mktemp("gpt2")
    export_gpt2(build_model(GPT2, 3), folder)
    with serve_hub(Hub({path.name: path.read_bytes() for path in folder.iterdir()})) as served:
        yield served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, hub: tuple[Hub, str]) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    server = start_server(folder, HF_ENDPOINT=hub[1], HF_HOME=str(folder / "hf"), NO_PROXY="*")
    yield server
    server.end()


@pytest.mark.whole_run
def test_openais_weights_come_from_the_hub_write_and_train_on(
    page: Page, server: Server, hub: tuple[Hub, str], problems: list[str]
) -> None:
    open_page(page, f"{server.url}/weights")
    hub[0].cut_after = 1_000_000
    page.get_by_role("button", name="Download").first.click()
    expect(page.get_by_text("The download broke off at 1.0 of")).to_be_visible(timeout=30_000)
    hub[0].cut_after = None
    wait_until_settled(page)
    page.get_by_role("button", name="Download").first.click()
    expect(page.get_by_text("GPT-2 124M · OpenAI's")).to_be_visible(timeout=30_000)
    assert hub[0].ranges == [None, "bytes=1000000-"]  # it went on where it had ended
    wait_until_settled(page)

    page.get_by_role("button", name="Generate text").click()
    expect(page.get_by_role("heading", name="Generate", exact=True)).to_be_visible()
    write = page.get_by_role("button", name="Write", exact=True)
    expect(write).to_be_visible(timeout=60_000)
    wait_until_settled(page)
    write.click()
    expect(page.locator(".sample-list .note").first).to_have_text("40 tokens", timeout=60_000)
    expect(page.get_by_text("GPT-2 124M, OpenAI's").first).to_be_visible()

    open_page(page, f"{server.url}/weights")
    page.get_by_role("button", name="Continue training").click()
    expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible()
    start = page.get_by_role("button", name="Start training")
    expect(start).to_be_enabled(timeout=60_000)
    wait_until_settled(page)
    start.click()
    began = "It began with these weights, not with random ones: GPT-2 124M, OpenAI's."
    expect(page.get_by_text(began)).to_be_visible(timeout=60_000)
    page.reload()
    expect(page.get_by_text(began)).to_be_visible(timeout=60_000)
    wait_until_settled(page)
    page.get_by_role("button", name="Stop", exact=True).last.click()
    expect(page.get_by_text("stopped").first).to_be_visible(timeout=60_000)


def test_a_file_of_the_books_code_is_taken_and_one_that_is_none_refused(
    page: Page, server: Server, problems: list[str], tmp_path: Path
) -> None:
    good, bad = tmp_path / HOSTILE, tmp_path / "bad.pth"
    torch.save(build_model(GPT2, 5).state_dict(), good)
    bad.write_bytes(good.read_bytes()[:5000])
    open_page(page, f"{server.url}/weights")
    page.get_by_role("tab", name="A file of yours").click()
    bring_in = page.get_by_role("button", name="Add this model")
    page.locator("input[type=file]").set_input_files(bad)
    expect(bring_in).to_be_visible(timeout=30_000)
    wait_until_settled(page)
    bring_in.click()
    expect(page.get_by_text("bad.pth cannot be loaded")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name=re.compile("Remove|Delete")).last.click()
    expect(bring_in).to_have_count(0)
    wait_until_settled(page)
    page.locator("input[type=file]").set_input_files(good)
    expect(bring_in).to_be_visible(timeout=30_000)
    wait_until_settled(page)
    bring_in.click()
    expect(page.get_by_text(f"{HOSTILE} · uploaded")).to_be_visible(timeout=30_000)
    assert page.evaluate("window.hacked") is None
    wait_until_settled(page)
    card = page.get_by_test_id("stVerticalBlock").filter(has_text=f"{HOSTILE} · uploaded").last
    card.get_by_role("button", name="Its loss").click()
    expect(page.get_by_role("heading", name="Loss", exact=True)).to_be_visible()
    expect(page.get_by_text(f"{HOSTILE}, uploaded: ")).to_be_visible(timeout=60_000)
    wait_until_settled(page)
    measure = page.get_by_role("button", name="Measure its loss")
    measure.click()
    expect(page.get_by_test_id("stDataFrame").last).to_be_visible(timeout=60_000)
    assert page.evaluate("window.hacked") is None

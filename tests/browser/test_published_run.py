"""A terminal trains on one side, a browser watches on the other, with the app between."""

import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gpt_core.store import RunStore
from tests.browser.conftest import (
    listen,
    open_page,
    start_server,
    wait_until,
    wait_until_settled,
)
from tests.support.published import SMALL, TOKEN, start_terminal, steps_in
from tests.support.published import wait_until as wait_for

pytestmark = pytest.mark.slow

CURVE = ".live-chart.js-plotly-plot [class*=scatterlayer] .points path"


def test_the_curve_of_a_run_of_another_machine_grows_and_ends(page: Page, tmp_path: Path) -> None:
    server = start_server(tmp_path / "app", GPT_LAB_PUBLISH_TOKEN=TOKEN)
    problems = listen(page, server.url)
    process = start_terminal(
        *("train", *SMALL, "--epochs", "300", "--eval-freq", "10", "--sample-tokens", "5"),
        *("--run-id", "far", "--runs-dir", str(tmp_path / "runs"), "--publish", server.url),
    )
    wait_for(lambda: steps_in(server.runs_dir, "far") > 0)
    open_page(page, f"{server.url}/train?run=far")
    main = page.get_by_test_id("stMain")
    expect(
        main.get_by_text(re.compile("It trains on .*, which sends what it records"))
    ).to_be_visible()
    expect(page.locator(CURVE).nth(1)).to_be_visible(timeout=60_000)
    points = f"document.querySelectorAll('{CURVE}').length"
    before = page.evaluate(points)
    wait_until(page, f"{points} > {before} + 2")  # without a reload
    expect(main.get_by_text("Count from one:").first).to_be_visible()  # a sample
    if hasattr(RunStore, "ask"):  # requests reach the machine that trains
        main.get_by_role("button", name="Pause", exact=True).click()
        expect(main.get_by_text("paused", exact=True)).to_be_visible(timeout=30_000)
        wait_until_settled(page)
        main.get_by_role("button", name="Resume", exact=True).click()
        expect(main.get_by_text("running", exact=True)).to_be_visible(timeout=30_000)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    expect(main.get_by_text("interrupted", exact=True)).to_be_visible(timeout=30_000)
    assert problems == []
    assert server.end() == 0
    assert "Traceback" not in server.log.read_text()

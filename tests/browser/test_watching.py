"""Whatever is opened and used while a run trains, its losses are those of the run left alone."""

import math
import os
import re
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gpt_core.store import Run, RunStore
from tests.browser.conftest import start_server, wait_until_settled
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

# Buttons that start, change or end a run, ask the network, or go to another page.
LEFT_ALONE = re.compile(
    r"train|by heart|start|stop|pause|resume|step|delete|remove|run again|queue|fetch|download"
    r"|watch|bring|save|open|hub|replay|guided|check|leave|keep|project|generate",
    re.IGNORECASE,
)
UNFOLD = "details:not([open]) > summary"


def use(page: Page) -> None:
    """Unfold everything on a page, look at each tab, and press each button that changes no run."""
    main = page.get_by_test_id("stMain")
    for _ in range(30):  # what is unfolded may hold more
        folded = main.locator(UNFOLD)
        if not folded.count():
            break
        folded.first.click()
        wait_until_settled(page)
    for tab in main.get_by_role("tab").all():
        if tab.is_visible():
            tab.click()
    wait_until_settled(page)
    names = [button.inner_text().strip() for button in main.get_by_role("button").all()]
    for name in (name for name in names if name and not LEFT_ALONE.search(name)):
        button = main.get_by_role("button", name=name, exact=True).first
        if button.is_visible() and button.is_enabled():
            button.click(timeout=10_000)
            wait_until_settled(page)


@pytest.mark.whole_run
def test_every_page_is_opened_and_used_and_the_run_is_that_of_the_terminal(
    page: Page, tmp_path: Path
) -> None:
    server = start_server(tmp_path / "server")
    page.goto(server.url)
    start = page.get_by_role("button", name="Learn a story by heart")
    expect(start).to_be_visible(timeout=60_000)
    wait_until_settled(page)
    start.click()
    page.wait_for_url("**/train?run=*", timeout=60_000)
    links = page.get_by_test_id("stSidebarNav").get_by_role("link")
    names = links.all_inner_texts()
    assert len(names) >= 10
    for name in names:
        page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
        wait_until_settled(page)
        use(page)
    server.end()
    watched = recorded(server.runs_dir)
    config, total_steps = watched.run.training_config, watched.run.total_steps
    epochs = math.ceil(len(watched.losses) * config.num_epochs / total_steps)
    settings = [
        *("--text", "the-lamp-room", "--preset", watched.run.preset),
        *("--precision", config.precision, "--num-epochs", str(epochs)),
    ]
    subprocess.run(
        [sys.executable, "-m", "gpt_core", "train", *settings],
        cwd=ROOT,
        capture_output=True,
        env={**os.environ, "GPT_LAB_RUNS_DIR": str(tmp_path / "terminal")},
        check=True,
        timeout=300,
    )
    alone = recorded(tmp_path / "terminal")
    assert alone.run.text_sha256 == watched.run.text_sha256
    assert len(watched.losses) >= 50  # a loaded machine takes few in that time
    assert watched.losses == alone.losses[: len(watched.losses)]


@dataclass
class Recorded:
    """A run and the loss of each of its steps."""

    run: Run
    losses: list[float]


def recorded(runs_dir: Path) -> Recorded:
    with closing(RunStore(runs_dir)) as store:
        [run] = store.runs()
        return Recorded(run, [row.loss for row in store.steps(run.id)])

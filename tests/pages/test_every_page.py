"""Every page, run as Streamlit runs it, over each kind of store."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from dashboard.app import runtime
from dashboard.ui import STEPS
from gpt_core.store import LIVE_STATES, RunState
from gpt_core.store.run import RESUMABLE_STATES
from gpt_core.store.run_locks import acquire_run_lock
from gpt_core.text import load_text
from gpt_core.training import evaluate_model, train
from tests.conftest import TINY, TINY_TRAINING
from tests.support.app_driver import (
    ROOT,
    open_app,
    start_pocket_run,
    texts,
    wait_for_state,
)
from tests.support.network_watch import watched_environment

pytestmark = pytest.mark.usefixtures("own_runtime")
SMALL_MODEL = {"walk_model": "pocket"}  # what the Loss page looks into, so that tests need not wait
STILL_PAGES = ("tokens", "model", "data", "generate", "weights", "inside")
STATES = ("queued", "paused", "finished", "stopped", "failed", "interrupted")


def add_run_in_state(state: str) -> filelock.BaseFileLock | None:
    """Write down a run in some state, as another process would; it lives as long as its lock."""
    store = runtime.get_store()
    sizes = {"train_tokens": 900, "val_tokens": 100, "total_steps": 20}
    corpus = load_text("counting")
    store.add_run(
        run_id="there",
        owner="ada",
        preset="tiny",
        model_config=TINY,
        training_config=TINY_TRAINING,
        text_name=corpus.name,
        text_sha256=corpus.sha256,
        versions={},
        **sizes,
    )
    lock = acquire_run_lock(store, "there") if state in LIVE_STATES else None
    if state != "queued":
        store.set_state("there", RunState(state), "ada", f"It is {state}.")
    return lock


def in_every_state() -> list:
    """Return pages and states; those that show little of a run are slow tests in most states."""
    return [
        pytest.param(
            page,
            state,
            marks=[pytest.mark.slow] if page in (*STILL_PAGES, "runs") and state in STATES else [],
        )
        for page in ("home", "runs", "loss", "train", *STILL_PAGES)
        for state in ("empty", "running", *STATES)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "state"), in_every_state())
def test_every_page_in_every_state_of_the_store(page: str, state: str) -> None:
    if state == "running":
        start_pocket_run(1)
    elif state != "empty":
        lock = add_run_in_state(state)
        assert (lock is not None) == (state in LIVE_STATES)
    app = open_app(page, state=SMALL_MODEL)
    assert app.title
    if state not in ("empty", "running"):
        assert state in texts(app)
    if page == "train":
        resumable = (*RESUMABLE_STATES, RunState.PAUSED)  # a paused run's process is asked
        assert ("Resume" in [b.label for b in app.main.button]) == (state in resumable)


@pytest.mark.slow
def test_the_sidebar_shows_the_current_run_on_every_page_and_pauses_it() -> None:
    run_id = start_pocket_run()
    for page in ("home", "train"):
        sidebar = open_app(page).sidebar
        assert [b.label for b in sidebar.button] == ["Pause", "Stop"]
        assert "pocket, changed, on Counting" in sidebar.text[0].value
    app = open_app()
    next(b for b in app.sidebar.button if b.label == "Pause").click().run()
    wait_for_state(run_id, "paused")
    assert [b.label for b in app.run().sidebar.button] == ["Resume", "Stop"]


def test_the_lectures_steps_have_pages() -> None:
    assert [step.number for step in STEPS] == [1, 2, 3, 4, 5, 6, 7]
    titles = {page.stem.capitalize() for page in (ROOT / "pages").glob("*.py")}
    assert {title for step in STEPS for title in step.pages} <= titles


def test_the_code_that_is_shown_is_the_code_that_runs() -> None:
    opened = ("code-evaluate_model, measure_loader", "code-train, learning_rate_at")
    shown = [block.value for block in open_app("train", state=dict.fromkeys(opened, True)).code]
    assert inspect.getsource(evaluate_model).strip() in shown
    assert inspect.getsource(train).strip() in shown
    assert not open_app("train").code  # what is folded away is not sent


def test_a_runs_directory_that_cannot_be_used_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GPT_LAB_RUNS_DIR", str(tmp_path / "file"))
    assert "cannot be used" in texts(open_app())


def test_a_setting_that_is_no_number_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT_LAB_THREADS", "-1")
    assert "GPT_LAB_THREADS='-1' must be a whole number, at least 1" in texts(open_app())


NETWORK_PROGRAM = """
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest
from dashboard.app import runtime

app = AppTest.from_file("main.py", default_timeout=60).run()
app.button[0].click().run()
assert not app.exception
run_id = runtime.get_store().latest_run().id
while not runtime.get_store().evaluations(run_id):
    pass
runtime.close_runtime()
print("trained")
"""


@pytest.mark.slow
def test_no_network_connection_is_opened_while_the_app_and_a_run_start(
    runs_dir: Path, tmp_path: Path
) -> None:
    watched, log = watched_environment(tmp_path)
    watched["PYTHONPATH"] += os.pathsep + str(ROOT)
    result = subprocess.run(
        [sys.executable, "-c", NETWORK_PROGRAM],
        cwd=ROOT,
        env={**os.environ, **watched},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.stdout.endswith("trained\n"), result.stderr
    assert log.read_text() == ""


def test_the_watch_itself_sees_an_attempt(tmp_path: Path) -> None:
    watched, log = watched_environment(tmp_path)
    subprocess.run(
        [sys.executable, "-c", "import socket\nsocket.getaddrinfo('example.invalid', 80)"],
        env={**os.environ, **watched},
        capture_output=True,
        check=False,
    )
    assert "socket.getaddrinfo example.invalid" in log.read_text()

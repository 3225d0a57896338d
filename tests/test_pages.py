"""Every page, run as Streamlit runs it, over each kind of store."""

import inspect
import os
import subprocess
import sys
import time
from pathlib import Path

import filelock
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime
from dashboard.ui import STEPS, section
from gpt_core.analysis.cached_store import CHECK_SECONDS
from gpt_core.store.run import LIVE_STATES, RESUMABLE_STATES
from gpt_core.store.run_locks import acquire_run
from gpt_core.text import load_text
from gpt_core.training import evaluate_model, train
from tests.conftest import TINY, TINY_TRAINING
from tests.support.app_driver import (
    ROOT,
    TIMEOUT,
    button,
    choose,
    components,
    finish,
    open_app,
    start_pocket_run,
    texts,
    wait_for_state,
)
from tests.support.network_watch import watched_environment

pytestmark = pytest.mark.usefixtures("own_runtime")
SMALL_MODEL = {"walk_model": "pocket"}  # what the Loss page looks into, so that tests need not wait
STILL_PAGES = ("tokens", "model", "data", "generate", "weights")
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
    lock = acquire_run(store, "there") if state in LIVE_STATES else None
    if state != "queued":
        store.set_state("there", state, "ada", f"It is {state}.")
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
        assert ("Resume" in [b.label for b in app.main.button]) == (state in RESUMABLE_STATES)


def test_homes_one_button_starts_the_pocket_run_on_the_story_and_goes_to_train() -> None:
    app = open_app()
    primary = [b for b in app.main.button if b.proto.type == "primary"]
    assert [b.label for b in primary] == ["Train a small GPT now"]
    primary[0].click().run()
    assert not app.exception
    assert [title.value for title in app.title] == ["Train"]
    run = runtime.get_store().latest_run()
    assert run is not None
    assert (run.preset, run.text_name) == ("pocket", "The Lamp Room (a short story)")
    assert app.query_params["run"] in (run.id, [run.id])


def test_home_offers_to_watch_the_run_that_trains_instead_of_a_second_one() -> None:
    start_pocket_run(1)
    primary = [b.label for b in open_app().main.button if b.proto.type == "primary"]
    assert primary == ["Watch the run that is training"]


def test_train_shows_curve_samples_progress_and_pace() -> None:
    run_id = start_pocket_run()
    app = open_app("train", state={"queue": True})
    chart = components(app, "live_chart")[0]
    assert [trace.get("name") for trace in chart["figure"]["data"][:2]] == [
        "Training",
        "Validation",
    ]
    assert chart["figure"]["layout"]["uirevision"].startswith(run_id)
    assert "evaluations. The last, after" in chart["description"]
    assert "At step 0 validation is" in texts(app)
    labels = [metric.label for metric in app.metric]
    assert labels == ["Training loss", "Validation loss", "Tokens per second", "Time left"]
    assert all(metric.value != "–" for metric in app.metric)
    assert "pocket, changed, on Counting" in texts(app)
    labels = [b.label for b in app.main.button]
    after_the_form = labels[labels.index("Add to the queue") + 1 :]
    assert after_the_form[:3] == ["Pause", "Stop", "Projector"]
    finish(run_id)


def test_train_shows_how_probable_each_token_of_the_probes_is() -> None:
    run_id = start_pocket_run()
    finish(run_id)
    chips = components(open_app("train", run=run_id), "token_chips")
    probes = runtime.get_store().probes(run_id)
    assert [chip["ids"] for chip in chips] == [[3626, 6100, 345], [1107, 588, 11311]]
    assert chips[0]["texts"] == ["·effort", "·moves", "·you"]
    for chip, probe in zip(chips, probes[-2:], strict=True):
        names = [line.split()[0] for line in chip["second_line"]]
        row = probe["probe"] + 1
        assert names == [f"p{row}1", f"p{row}2", f"p{row}3"]
        shown = [float(line.split()[1]) for line in chip["second_line"]]
        assert shown == pytest.approx(probe["target_probas"], rel=0.06, abs=0.0006)
        assert all(0 <= strength <= 1 for strength in chip["strengths"])


def test_before_a_run_the_chart_and_the_chips_leave_their_place_to_a_sentence() -> None:
    app = open_app("train")
    assert not components(app, "live_chart")
    assert not components(app, "token_chips")
    assert "No run yet" in texts(app)


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


def test_the_navigation_groups_the_pages_by_the_lectures_steps() -> None:
    assert section("Train") == "3–4 · Training"
    assert section("Home") == ""
    assert [step.number for step in STEPS] == [1, 2, 3, 4, 5, 6, 7]
    titles = {page.stem.capitalize() for page in (ROOT / "pages").glob("*.py")}
    assert {title for step in STEPS for title in step.pages} <= titles


def test_the_code_that_is_shown_is_the_code_that_runs() -> None:
    opened = ("code-evaluate_model, calc_loss_loader", "code-train, learning_rate_at")
    shown = [block.value for block in open_app("train", state=dict.fromkeys(opened, True)).code]
    assert inspect.getsource(evaluate_model).strip() in shown
    assert inspect.getsource(train).strip() in shown
    assert not open_app("train").code  # what is folded away is not sent


def test_stop_stops_the_run_and_the_form_is_there_again() -> None:
    run_id = start_pocket_run()
    app = open_app("train")
    button(app, "Stop").click().run()
    runtime.get_runner().wait(run_id, timeout=30)
    run = runtime.get_store().run(run_id)
    assert run is not None
    assert run.state == "stopped"
    app.session_state["start"] = True  # the form is opened
    app.run()
    assert "Start training" in [b.label for b in app.main.button]


def test_pause_and_resume_by_their_buttons() -> None:
    run_id = start_pocket_run()
    app = open_app("train")
    button(app, "Pause").click().run()
    wait_for_state(run_id, "paused")
    app.run()
    assert "paused" in texts(app)
    button(app, "Resume").click().run()
    wait_for_state(run_id, "running")
    assert not app.exception


def test_a_stopped_run_is_resumed_by_its_button() -> None:
    run_id = start_pocket_run()
    finish(run_id)
    app = open_app("train")
    button(app, "Resume").click().run()
    assert not app.exception
    wait_for_state(run_id, "running")


def test_a_second_run_waits_in_the_queue() -> None:
    first = start_pocket_run()
    app = open_app("train", state={"queue": True})
    choose(app, "Text", "days-of-the-week")
    button(app, "Add to the queue").click().run()
    assert not app.exception
    assert [run.state for run in runtime.get_store().live_runs()] == ["running", "queued"]
    assert "pocket on Days of the week" in texts(app)
    assert "at most 539 MB of disk" in texts(app)
    finish(first)


def test_a_run_whose_process_is_gone_is_not_shown_as_running() -> None:
    open_app("train")
    lock = add_run_in_state("running")
    assert lock is not None
    assert "Resume" not in [b.label for b in open_app("train").button]
    lock.release()  # as the operating system does when the process dies
    time.sleep(1.1 * CHECK_SECONDS)
    assert "Resume" in [b.label for b in open_app("train").button]


def test_a_stopped_run_is_still_shown_by_its_address() -> None:
    first = start_pocket_run()
    finish(first)
    second = start_pocket_run(1)
    finish(second)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT)
    app.query_params["run"] = first
    app.switch_page("pages/train.py").run()
    assert not app.exception
    assert app.metric[0].value != "–"


def test_an_address_of_no_run_says_so_in_words() -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT)
    app.query_params["run"] = "<b>nobody</b>"
    app.switch_page("pages/train.py").run()
    assert not app.exception
    assert "There is no run <b>nobody</b>" in "\n".join(text.value for text in app.text)


def test_the_form_starts_the_chosen_text() -> None:
    app = open_app("train")
    choose(app, "Text", "days-of-the-week")
    button(app, "Start training").click().run()
    assert not app.exception
    run = runtime.get_store().latest_run()
    assert run is not None
    assert run.text_name == "Days of the week (a tiny pattern)"


def test_a_text_too_short_for_the_preset_is_refused_in_words() -> None:
    app = open_app("train")
    app.selectbox[0].select("book-124m")
    choose(app, "Text", "counting")
    assert not app.exception
    assert "Choose context_length=126 or less" in texts(app)
    assert button(app, "Start training").disabled
    assert runtime.get_store().runs() == []


def test_a_runs_directory_that_cannot_be_used_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GPT_LAB_RUNS_DIR", str(tmp_path / "file"))
    assert "cannot be used" in texts(open_app())


def test_a_setting_that_is_no_number_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPT_LAB_THREADS", "-1")
    assert "GPT_LAB_THREADS='-1' is no number from 1 on" in texts(open_app())


NETWORK_PROGRAM = """
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest
from dashboard import runtime

app = AppTest.from_file("app.py", default_timeout=60).run()
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

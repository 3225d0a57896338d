"""The Train page: starting, pausing, stopping and resuming by its buttons."""

import time

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime
from gpt_core.analysis.cached_store import CHECK_SECONDS
from tests.pages.test_every_page import add_run_in_state
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

pytestmark = pytest.mark.usefixtures("own_runtime")


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
    assert "After the first update, step 0, validation is" in texts(app)
    labels = [metric.label for metric in app.metric]
    assert labels == [
        *("Training loss", "Validation loss", "Bits per byte"),
        *("Tokens per second", "Time left"),
    ]
    assert all(metric.value != "–" for metric in app.metric)
    assert "pocket, changed, on Counting" in texts(app)
    labels = [b.label for b in app.main.button]
    after_the_form = labels[labels.index("Add to the queue") + 1 :]
    assert after_the_form[:3] == ["Pause", "Stop", "Show on a projector"]
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
        row = probe.probe + 1
        assert names == [f"p{row}1", f"p{row}2", f"p{row}3"]
        shown = [float(line.split()[1]) for line in chip["second_line"]]
        assert shown == pytest.approx(probe.target_probas, rel=0.06, abs=0.0006)
        assert all(0 <= strength <= 1 for strength in chip["strengths"])


def test_before_a_run_the_chart_and_the_chips_leave_their_place_to_a_sentence() -> None:
    app = open_app("train")
    assert not components(app, "live_chart")
    assert not components(app, "token_chips")
    assert "No run yet" in texts(app)


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
    assert "at most 485 MB of disk" in texts(app)
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
    app = AppTest.from_file(str(ROOT / "main.py"), default_timeout=TIMEOUT)
    app.query_params["run"] = first
    app.switch_page("pages/train.py").run()
    assert not app.exception
    assert app.metric[0].value != "–"


def test_an_address_of_no_run_says_so_in_words() -> None:
    app = AppTest.from_file(str(ROOT / "main.py"), default_timeout=TIMEOUT)
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

"""A run that another process trains, on the pages: watched, controlled, and looked into."""

import math
import re
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime
from dashboard.forms import preflight
from dashboard.forms.model import NOW
from gpt_core.config import TrainingConfig
from gpt_core.model import resolve_auto
from gpt_core.presets import PRESETS
from gpt_core.runner import TrainingRunner
from gpt_core.runner.elsewhere import stored_requests
from gpt_core.runner.elsewhere.torchrun import PROCESSES
from gpt_core.store import RunState, RunStore
from gpt_core.text import load_text
from tests.pages.test_every_page import add_run_in_state
from tests.support.app_driver import (
    POCKET,
    button,
    choose,
    components,
    finish,
    open_app,
    start_pocket_run,
    texts,
    wait_for_state,
)
from tests.support.lesson import CODE, PASSPHRASE, Class
from tests.support.runs import wait_for_steps
from tests.support.terminal import terminal_run

pytestmark = pytest.mark.usefixtures("own_runtime")


@pytest.fixture
def theirs() -> Iterator[str]:
    """A run of a runner with a store and locks of its own, as another process has."""
    with closing(RunStore(runtime.get_store().runs_dir)) as store:
        runner = TrainingRunner(store)
        run_id = runner.start(POCKET, load_text("counting"), actor="local", run_id="theirs")
        wait_for_steps(store, run_id, 3)
        yield run_id
        runner.close()


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.main.button]


def wait_for_answer(run_id: str) -> None:
    deadline = time.monotonic() + 30
    while runtime.get_store().open_requests(run_id):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_for_button(app: AppTest, label: str) -> None:
    """Wait until the page, whose records may be half a second old, has a button."""
    deadline = time.monotonic() + 30
    while label not in labels(app):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        app.run()


def test_its_buttons_pause_step_resume_and_stop_it(theirs: str) -> None:
    app = open_app("train", run=theirs)
    assert "Another process trains it" in texts(app)
    button(app, "Pause").click().run()
    wait_for_state(theirs, "paused")
    wait_for_answer(theirs)
    wait_for_button(app, "One step")
    count = len(runtime.get_store().steps(theirs))
    button(app, "One step").click().run()
    wait_for_answer(theirs)
    app.run()
    assert len(runtime.get_store().steps(theirs)) == count + 1
    assert f"What step {count} did" in texts(app)
    button(app, "Resume").click().run()
    wait_for_state(theirs, "running")
    wait_for_answer(theirs)
    wait_for_button(app, "Pause")
    button(app, "Stop").click().run()
    wait_for_state(theirs, "stopped")
    wait_for_button(app, "Resume")
    assert not app.exception
    assert "Another process trains it" not in texts(app)
    assert "Resume" in labels(app)


def test_until_it_is_done_the_page_shows_what_was_asked() -> None:
    lock = add_run_in_state("running")  # of a process that does not answer
    assert lock is not None
    app = open_app("train", run="there")
    button(app, "Pause").click().run()
    assert "pausing" in texts(app)
    assert button(app, "Pause").disabled
    assert button(app, "Stop").disabled
    [request] = runtime.get_store().open_requests("there")
    runtime.get_store().answer(request.id, "The disk is full.")
    app.run()
    assert not button(app, "Pause").disabled
    assert "Pausing failed. The disk is full." in texts(app)
    lock.release()


def test_when_its_process_has_died_the_page_says_so_and_offers_to_resume() -> None:
    lock = add_run_in_state("running")
    assert lock is not None
    app = open_app("train", run="there")
    button(app, "Pause").click().run()
    lock.release()  # as the operating system does when the process dies
    wait_for_state_by_pages(app, "there", RunState.INTERRUPTED)
    app.run()
    assert "Pausing failed. The process that trained it is gone." in texts(app)
    assert "Resume" in labels(app)
    assert runtime.get_store().open_requests() == []


def wait_for_state_by_pages(app: AppTest, run_id: str, state: RunState) -> None:
    """Wait until the pages, which look for living processes, have recorded a state."""
    deadline = time.monotonic() + 30
    while (run := runtime.get_store().run(run_id)) is None or run.state is not state:
        assert time.monotonic() < deadline
        app.run()
        time.sleep(0.1)


def test_its_model_can_be_looked_into_as_it_is_now(theirs: str) -> None:
    app = open_app("loss", run=theirs)
    assert not app.exception
    when = next(box for box in app.selectbox if box.label == "When")
    assert when.value != NOW  # which asks the other process to save
    when.select(NOW).run()
    assert not app.exception
    assert "a copy at step" in texts(app)
    [checkpoint] = [
        c for c in runtime.get_store().checkpoints(theirs) if c.kind == "whole"
    ]  # that the copy is read from
    assert checkpoint.global_step >= 2
    inside = open_app("inside", run=theirs, state={"walk_model": theirs})
    assert components(inside, "model_column")


def test_it_writes_as_it_is_now(theirs: str) -> None:
    app = open_app("train", run=theirs)
    assert "Ask the model, as it is now, to continue" in [t.label for t in app.text_input]
    button(app, "Write").click().run()
    deadline = time.monotonic() + 30
    while "At step" not in str(components(app, "sample_list")):
        assert time.monotonic() < deadline, texts(app)
        time.sleep(0.2)
        app.run()
    assert not app.exception


@pytest.mark.slow
def test_a_student_cannot_command_a_terminals_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(runtime.CLASS_MODE, "1")
    monkeypatch.setenv(runtime.JOIN_CODE, CODE)
    monkeypatch.setenv(runtime.PASSPHRASE, PASSPHRASE)
    lesson = Class(monkeypatch)
    store = runtime.get_store()
    with terminal_run(store):
        app = lesson.visit("Ben", "train", run="theirs")
        assert components(app, "live_chart")
        assert not {"Pause", "Stop", "Resume", "One step"} & set(labels(app))
        ben, runner = lesson.id("Ben"), runtime.get_runner()
        for ask in (runner.pause, runner.stop, runner.checkpoint, runner.step):
            with pytest.raises(ValueError, match="not yours"):
                ask("theirs", actor=ben)
        assert store.last_request("theirs") is None
        app = lesson.visit("Ben", "loss", run="theirs", state={"walk_model": "theirs"})
        assert "as it is now" not in str([box.options for box in app.selectbox])
        teacher = lesson.visit("Teacher", "train", run="theirs")
        button(teacher, "Pause").click().run()
        wait_for_state("theirs", "paused")
        run = store.run("theirs")
        assert run is not None
        assert run.state_actor == "teacher"


@pytest.mark.slow
def test_a_terminals_run_is_paused_and_stopped_by_its_buttons() -> None:
    with terminal_run(runtime.get_store()) as process:
        app = open_app("train", run="theirs")
        button(app, "Pause").click().run()
        wait_for_state("theirs", "paused")
        wait_for_answer("theirs")
        wait_for_button(app, "Resume")
        assert {"Resume", "One step", "Stop"} <= set(labels(app))
        button(app, "Stop").click().run()
        out, _ = process.communicate(timeout=60)
    assert "Paused from the app" in out
    app.run()
    assert not app.exception
    button(app, "Resume").click().run()  # here: its own process has ended
    wait_for_state("theirs", "running")
    assert runtime.get_runner().owns("theirs")


@pytest.mark.slow
def test_a_terminals_run_that_is_killed_while_asked_is_interrupted() -> None:
    with terminal_run(runtime.get_store()) as process:
        process.send_signal(signal.SIGSTOP)
        app = open_app("train", run="theirs")
        button(app, "Pause").click().run()
        time.sleep(2 * stored_requests.POLL_SECONDS)
        app.run()
        assert "pausing" in texts(app)
        process.kill()
        process.wait(timeout=30)
        wait_for_state_by_pages(app, "theirs", RunState.INTERRUPTED)
        app.run()
    assert "The process that trained it is gone." in texts(app)
    assert "Resume" in labels(app)


def test_a_machine_with_one_gpu_or_none_offers_no_processes() -> None:
    app = open_app("train", state={"start": True, "other_settings": True})
    assert "batch_size" in [field.label for field in app.number_input]
    assert "processes" not in [field.label for field in app.number_input]


def test_a_run_of_two_processes_is_queued_from_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROCESSES, "2")
    first = start_pocket_run(1)  # it has to wait for this one
    app = open_app("train", state={"queue": True, "other_settings": True})
    choose(app, "Text", "counting")
    field = next(field for field in app.number_input if field.label == "processes")
    field.set_value(2).run()
    button(app, "Add to the queue").click().run()
    assert not app.exception
    run = runtime.get_store().latest_run()
    assert run is not None
    assert run.id != first
    assert (run.state, run.processes) == ("queued", 2)
    assert "2 processes train it together" in texts(app)
    app = open_app("train", run=run.id)
    button(app, "Stop").click().run()
    wait_for_state(run.id, "stopped")
    finish(first)


def steps_told(app: AppTest) -> int:
    [steps] = re.findall(r"([\d,]+) steps with", texts(app))
    return int(steps.replace(",", ""))


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A machine that has two GPUs as far as nothing computes there."""
    gpus = ("cuda:0", "cuda:1")
    monkeypatch.setattr(runtime, "training_devices", lambda: gpus)
    monkeypatch.setenv(PROCESSES, "2")
    return gpus


def test_the_cost_of_a_run_on_chosen_gpus_is_told_for_all_of_them(
    two_gpus: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_cuda(config: TrainingConfig) -> TrainingConfig:
        return replace(resolve_auto(config), device="cuda")

    monkeypatch.setattr(preflight, "resolve_auto", on_cuda)
    monkeypatch.setattr(preflight, "expected_seconds", lambda *_: 7_200.0)
    app = open_app("train", state={"start": True, "other_settings": True})
    choose(app, "Text", "counting")
    epochs = PRESETS["pocket"].training.num_epochs
    batches = steps_told(app) // epochs
    assert "about 2 h" in texts(app)
    [field] = [field for field in app.multiselect if field.label == "GPUs"]
    assert (field.options, field.value) == (list(two_gpus), [])
    field.set_value(list(two_gpus)).run()
    assert steps_told(app) == epochs * math.ceil(batches / 2)
    assert "about 60 min" in texts(app)


def test_gpus_that_cannot_train_a_run_together_are_refused_before_it_starts(
    two_gpus: tuple[str, str],
) -> None:
    app = open_app("train", state={"start": True, "other_settings": True})
    choose(app, "Text", "counting")
    [field] = [field for field in app.multiselect if field.label == "GPUs"]
    field.set_value(list(two_gpus)).run()
    assert "devices=cuda:0, cuda:1: the run's device is cpu." in texts(app)  # there are none here
    assert button(app, "Start training").disabled
    field.set_value(["cuda:1"]).run()
    assert "1 device for several processes: choose at least 2, or none." in texts(app)
    field.set_value([]).run()
    assert not button(app, "Start training").disabled

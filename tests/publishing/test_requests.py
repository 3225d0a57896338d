"""What the app asks of a run that trains elsewhere arrives there, and the answer comes back."""

from contextlib import closing
from pathlib import Path

import pytest

from gpt_core.publishing.requests import MAX_ERROR_CHARACTERS, check_answers
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunState, RunStore
from tests.browser.conftest import start_server
from tests.support.published import SMALL, TOKEN, rows_in, start_terminal, steps_in, wait_until


@pytest.mark.slow
@pytest.mark.whole_run  # paused and resumed: tests/browser/test_published_run.py
def test_a_run_is_paused_stepped_resumed_and_stopped_from_the_other_machine(tmp_path: Path) -> None:
    server = start_server(tmp_path / "app", GPT_LAB_PUBLISH_TOKEN=TOKEN)
    here = tmp_path / "runs"
    training = start_terminal(
        *("train", *SMALL, "--epochs", "400", "--eval-freq", "100", "--sample-tokens", "3"),
        *("--run-id", "far", "--runs-dir", str(here), "--publish", server.url),
    )
    wait_until(lambda: steps_in(server.runs_dir, "far") >= 5)
    with closing(RunStore(server.runs_dir)) as store, closing(TrainingRunner(store)) as runner:

        def is_in(state: RunState) -> bool:
            run = store.run("far")
            return run is not None and run.state is state

        with pytest.raises(
            ValueError, match="pause it first"
        ):  # a running run takes no single step
            runner.step("far", actor="local").result(60)
        runner.pause("far", actor="local").result(60)
        wait_until(lambda: is_in(RunState.PAUSED))
        done = steps_in(here, "far")
        runner.step("far", actor="local").result(60)
        wait_until(lambda: steps_in(server.runs_dir, "far") == done + 1)
        assert len(rows_in(server.runs_dir, "far")["updates"]) == 1
        runner.resume("far", actor="local").result(60)
        wait_until(lambda: steps_in(server.runs_dir, "far") > done + 5)
        runner.stop("far", actor="local").result(60)
        wait_until(lambda: is_in(RunState.STOPPED))
    _, err = training.communicate(timeout=60)
    assert f"All of run far is at {server.url}." in err
    assert rows_in(server.runs_dir, "far") == rows_in(here, "far")
    assert server.end() == 0
    assert "Traceback" not in server.log.read_text()


def test_answers_are_checked() -> None:
    assert check_answers([[1, ""], [2, "No."]]) == {1: "", 2: "No."}
    assert len(check_answers([[1, "x" * 10**6]])[1]) == MAX_ERROR_CHARACTERS
    for wrong in ([[1]], [["1", ""]], [[1, 2]], 5, [5], {"a": "b"}):
        with pytest.raises((TypeError, ValueError)):
            check_answers(wrong)

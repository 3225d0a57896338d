"""The Home page: the runs to begin with, and the run that trains."""

import pytest

from dashboard.app import runtime
from gpt_core.access import LOCAL
from gpt_core.export import recorded_losses
from gpt_core.presets import PRESETS
from gpt_core.records import EvaluationRecord
from gpt_core.store import RunState
from gpt_core.text import BUNDLED_TEXTS, DEFAULT_TEXT, STORIES, load_text
from tests.support.app_driver import (
    button,
    components,
    open_app,
    start_pocket_run,
)

pytestmark = pytest.mark.usefixtures("own_runtime")

FIRST, SECOND, COMPARE = "Train a small GPT now", "Learn a story by heart", "Compare their curves"


def test_homes_first_press_starts_the_run_that_learns_to_write_stories_and_goes_to_train() -> None:
    app = open_app()
    primary = [b for b in app.main.button if b.proto.type == "primary"]
    assert [b.label for b in primary] == [FIRST]
    primary[0].click().run()
    assert not app.exception
    assert [title.value for title in app.title] == ["Train"]
    run = runtime.get_store().latest_run()
    assert run is not None
    assert (run.preset, run.text_name) == ("minute", BUNDLED_TEXTS[STORIES])
    assert run.training_config.vocabulary == "bpe"
    assert run.baselines is not None
    assert run.baselines.floor is not None
    assert load_text(STORIES).text.startswith(run.training_config.start_context)
    assert app.query_params["run"] in (run.id, [run.id])


def test_the_run_that_learns_a_story_by_heart_is_one_press_away() -> None:
    app = open_app()
    button(app, SECOND).click().run()
    assert not app.exception
    run = runtime.get_store().latest_run()
    assert run is not None
    assert (run.preset, run.text_name) == ("pocket", BUNDLED_TEXTS[DEFAULT_TEXT])
    assert run.training_config.start_context == "Every effort moves you"


def test_home_offers_to_watch_the_run_that_trains_instead_of_a_second_one() -> None:
    start_pocket_run(1)
    app = open_app()
    primary = [b.label for b in app.main.button if b.proto.type == "primary"]
    assert primary == ["Open the live run"]
    assert SECOND not in [b.label for b in app.main.button]


def keep_run(run_id: str, preset: str, text: str, state: RunState = RunState.FINISHED) -> None:
    """Put a run on record that has been evaluated once."""
    store, given = runtime.get_store(), PRESETS[preset]
    store.add_run(
        *(run_id, LOCAL, preset, given.model, given.training),
        *(BUNDLED_TEXTS[text], "0" * 64, 100, 10, 50, {}),
    )
    store.add_records(run_id, [(EvaluationRecord(0, 1, 8, 3.0, 4.0, 1.5, 2.0), 1.0)])
    store.set_state(run_id, state, LOCAL)


def test_once_both_have_finished_their_curves_can_be_compared_in_bits_per_byte() -> None:
    keep_run("by-heart", "pocket", DEFAULT_TEXT)
    keep_run("older", "minute", STORIES)
    keep_run("writes", "minute", STORIES)
    keep_run("stopped", "minute", STORIES, RunState.STOPPED)
    app = open_app()
    button(app, COMPARE).click().run()
    assert not app.exception
    assert components(app, "run_table")[0]["chosen"] == ["writes", "by-heart"]
    figure = components(app, "live_chart")[0]["figure"]
    assert [line["name"] for line in figure["data"]] == [
        *("writes: training", "writes: validation", "by-heart: training", "by-heart: validation")
    ]
    assert figure["layout"]["yaxis"]["title"]["text"] == "Bits per byte"


def test_before_both_have_finished_nothing_is_compared() -> None:
    keep_run("by-heart", "pocket", DEFAULT_TEXT)
    keep_run("another-text", "minute", DEFAULT_TEXT)
    keep_run("stopped", "minute", STORIES, RunState.STOPPED)
    assert COMPARE not in [b.label for b in open_app().main.button]


def test_the_recorded_runs_losses_are_drawn_and_told_to_screen_readers() -> None:
    (curve,) = components(open_app(), "recorded_curve")
    assert curve["losses"] == [list(vars(loss).values()) for loss in recorded_losses()]
    assert curve["description"] == (
        "Loss curve of the recorded run: training falls from 9.408 to 0.979, validation from "
        "9.577 to 5.691."
    )
    assert not runtime.get_store().runs()  # nothing is imported to draw it

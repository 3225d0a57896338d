"""The Home page: one button, and the run that trains."""

import pytest

from dashboard.app import runtime
from gpt_core.export import recorded_losses
from tests.support.app_driver import (
    components,
    open_app,
    start_pocket_run,
)

pytestmark = pytest.mark.usefixtures("own_runtime")


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
    assert primary == ["Open the live run"]


def test_the_recorded_runs_losses_are_drawn_and_told_to_screen_readers() -> None:
    (curve,) = components(open_app(), "recorded_curve")
    assert curve["losses"] == [list(vars(loss).values()) for loss in recorded_losses()]
    assert curve["description"] == (
        "Loss curve of the recorded run: training falls from 9.408 to 0.979, validation from "
        "9.577 to 5.691."
    )
    assert not runtime.get_store().runs()  # nothing is imported to draw it

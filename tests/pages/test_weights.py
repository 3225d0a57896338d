"""The Weights page: checkpoints taken along, deleted, trained further."""

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime
from gpt_core.export import WEIGHT_FORMS, delete_checkpoint, import_recorded_run
from tests.support.app_driver import button, finish, open_app, start_pocket_run, texts


@pytest.mark.usefixtures("own_runtime")
class TestPage:
    def open(self, **query: str) -> AppTest:
        return open_app("weights", **query)

    def test_an_empty_store_says_when_weights_are_kept(self) -> None:
        assert "No run has saved weights yet" in texts(self.open())

    def test_a_link_to_a_run_without_weights_says_why_there_is_nothing(self) -> None:
        recorded = import_recorded_run(runtime.get_store())
        why = "comes with the app as a recording, without its weights"
        assert why in texts(self.open(run=recorded))
        assert why not in texts(self.open())

    def test_checkpoints_are_listed_offered_in_each_form_and_deleted_when_confirmed(self) -> None:
        run_id = start_pocket_run()
        finish(run_id)
        store = runtime.get_store()
        rows = store.checkpoints(run_id)
        app = self.open(run=run_id)
        assert f"{len(rows)} checkpoint" in texts(app)
        labels = [b.label for b in app.get("download_button")]
        assert labels == [facts.title for facts in WEIGHT_FORMS.values()] * len(rows)
        newest = max(rows, key=lambda row: (row.global_step, row.kind == "weights"))
        assert f"Step {newest.global_step}" in texts(app)
        assert "Without it, the run starts over when it is resumed." in texts(app)
        button(app, "Delete for good").click().run()
        assert len(store.checkpoints(run_id)) == len(rows) - 1
        assert not app.exception

    def test_let_it_write_opens_that_checkpoint(self) -> None:
        run_id = start_pocket_run(30)
        finish(run_id)
        steps = {int(row.global_step) for row in runtime.get_store().checkpoints(run_id)}
        app = self.open(run=run_id)
        oldest = [b for b in app.main.button if b.label == "Let it write"][-1]
        oldest.click().run()
        assert app.title[0].value == "Generate"
        boxes = {box.label: box.value for box in app.selectbox}
        assert (boxes["Model"], boxes["When"]) == (run_id, min(steps))

    def test_a_live_runs_checkpoints_are_not_deleted(self) -> None:
        run_id = start_pocket_run()
        runtime.get_runner().pause(run_id, actor="local").result(timeout=30)
        store = runtime.get_store()
        app = self.open(run=run_id)
        assert "Its run is live and may need it" in texts(app)
        assert "Delete for good" not in [b.label for b in app.main.button]
        with pytest.raises(ValueError, match=f"Run {run_id} is paused: stop it first"):
            delete_checkpoint(store, store.checkpoints(run_id)[0], actor="local")


@pytest.mark.usefixtures("own_runtime")
def test_a_run_whose_only_whole_checkpoint_was_deleted_begins_anew_and_ends_the_same() -> None:
    run_id = start_pocket_run()
    finish(run_id)
    store, runner = runtime.get_store(), runtime.get_runner()
    steps = len(store.steps(run_id))
    (whole,) = [row for row in store.checkpoints(run_id) if row.kind == "whole"]
    delete_checkpoint(store, whole, actor="local")
    assert not (store.runs_dir / whole.folder).exists()
    runner.resume(run_id, actor="local")
    while len(store.steps(run_id)) <= steps:
        assert not runner.wait(run_id, 0.05)
    finish(run_id)
    run = store.run(run_id)
    assert run is not None
    assert run.message == ""  # what came again was what was recorded

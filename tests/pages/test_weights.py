"""The Weights page: checkpoints taken along, deleted, trained further."""

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime
from dashboard.charts import format_bytes
from dashboard.weights.checkpoints import KINDS
from gpt_core.export import WEIGHT_FORMS, delete_checkpoint, import_recorded_run
from gpt_core.store import CheckpointKind
from tests.support.app_driver import button, finish, open_app, start_pocket_run, texts


def select_row(app: AppTest, row: int) -> None:
    """Select a row of the table of checkpoints, as a click in it does."""
    key = app.dataframe[0].proto.id.split("-", 2)[2]  # after Streamlit's prefix
    app.session_state[key] = {"selection": {"rows": [row], "columns": [], "cells": []}}
    app.run()


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
        table = app.dataframe[0].value
        assert table["Step"].tolist() == sorted((r.global_step for r in rows), reverse=True)
        losses = {e.global_step: e.val_loss for e in store.evaluations(run_id)}
        for step, loss in zip(table["Step"], table["Validation loss"], strict=True):
            assert losses.get(step) == (None if pd.isna(loss) else loss)
        has_best = store.best_checkpoint(run_id) is not None
        assert sum("the lowest loss" in kind for kind in table["Kind"]) == has_best
        labels = [b.label for b in app.get("download_button")]
        assert labels == [facts.title for facts in WEIGHT_FORMS.values()]  # of the chosen one
        newest = max(row.global_step for row in rows)
        assert f"Step {newest:,} ·" in texts(app)
        # A run that ends with an epoch has two checkpoints at that step.
        select_row(
            app,
            [kind.startswith(KINDS[CheckpointKind.WHOLE]) for kind in table["Kind"]].index(True),
        )
        assert "Without it, the run starts over when it is resumed." in texts(app)
        button(app, "Delete for good").click().run()
        assert len(store.checkpoints(run_id)) == len(rows) - 1
        assert not app.exception

    def test_all_but_the_best_weights_are_deleted_when_confirmed(self) -> None:
        run_id = start_pocket_run()
        finish(run_id)
        store = runtime.get_store()
        best, rows = store.best_checkpoint(run_id), store.checkpoints(run_id)
        assert best is not None
        assert len(rows) > 1
        app = self.open(run=run_id)
        used = format_bytes(sum(row.bytes for row in rows))
        assert f"{len(rows)} checkpoints, {used}; those of all runs: {used}" in texts(app)
        assert f"The weights of step {best.global_step}, with the lowest" in texts(app)
        app.button(key=f"delete all but {best.id}").click().run()
        assert store.checkpoints(run_id) == [best]
        assert not app.exception

    def test_generate_text_opens_the_checkpoint_that_is_selected(self) -> None:
        run_id = start_pocket_run(30)
        finish(run_id)
        steps = {int(row.global_step) for row in runtime.get_store().checkpoints(run_id)}
        app = self.open(run=run_id)
        select_row(app, len(app.dataframe[0].value) - 1)
        assert f"Step {min(steps):,}" in texts(app)
        button(app, "Generate text").click().run()
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

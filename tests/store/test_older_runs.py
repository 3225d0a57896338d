"""A runs directory that version 0.1.0 wrote opens, shows, resumes and exports.

``runs-0.1.0.zip`` was made by that version: a tiny model on "counting", stopped after 43 steps with
one of them inspected, and a finished run; a name and a note, rules of a class, a text of one's own,
a run that was deleted. Afterwards the numbers in its weights were set to 0, so that they pack well.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gpt_core.access import LOCAL, read_rules
from gpt_core.analysis import CachedStore
from gpt_core.export import EXPORTS, export_runs
from gpt_core.inference import ModelCache
from gpt_core.library import TextLibrary
from gpt_core.runner import TrainingRunner
from gpt_core.store import CheckpointKind, RunState, RunStore
from tests.support.app_driver import components, open_app, texts
from tests.support.runs import wait_for_steps

ARCHIVE = Path(__file__).parent / "runs-0.1.0.zip"
STOPPED, FINISHED, DELETED = "before-the-move", "finished-before", "deleted-before"


@pytest.fixture
def older_dir(runs_dir: Path) -> Path:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(runs_dir)
    return runs_dir


@pytest.fixture
def older(older_dir: Path) -> Iterator[RunStore]:
    store = RunStore(older_dir)
    yield store
    store.close()


def test_its_runs_are_as_they_were(older: RunStore) -> None:
    finished, stopped = older.summaries()
    assert (finished.run.id, finished.run.state, finished.steps_done) == (FINISHED, "finished", 36)
    assert (stopped.run.id, stopped.run.state, stopped.steps_done) == (STOPPED, "stopped", 43)
    assert (stopped.run.name, stopped.run.note) == ("An old run", "Made by version 0.1.0.")
    assert stopped.run.state is RunState.STOPPED
    states = [transition.state for transition in older.transitions(STOPPED)]
    assert states == ["queued", "running", "paused", "paused", "stopped"]
    assert {checkpoint.kind for checkpoint in older.checkpoints(STOPPED)} == {
        CheckpointKind.WHOLE,
        CheckpointKind.WEIGHTS,
    }
    assert [deletion.run_id for deletion in older.deletions()] == [DELETED]


def test_all_that_it_recorded_is_read(older: RunStore) -> None:
    history = CachedStore(older).history(STOPPED).recorded
    assert history.steps["global_step"].tolist() == list(range(43))
    assert history.evaluations["global_step"].tolist() == list(range(0, 43, 5))
    assert np.isnan(history.evaluations["val_bits_per_byte"]).all()  # not measured then
    assert older.evaluations(STOPPED)[0].val_accuracy is None
    assert [sample.global_step for sample in history.samples] == [35]
    assert history.samples[0].copying is not None
    assert [update.global_step for update in history.updates] == [42]
    assert len(older.probes(STOPPED)) == 2 * len(history.evaluations)


def test_its_classs_rules_and_texts_hold(older: RunStore) -> None:
    rules = read_rules(older)
    assert (rules.most_runs, rules.most_minutes, rules.hidden) == (2, 45, ("seed",))
    [text] = TextLibrary(older, actor=LOCAL).texts()
    assert text.name == "mine.txt"


@pytest.mark.parametrize("form", EXPORTS)
def test_it_is_exported(older: RunStore, form: str) -> None:
    run = older.run(STOPPED)
    assert run is not None
    name, data = export_runs(older, [run], form, actor=LOCAL)
    assert name
    assert data


def test_its_weights_are_read_and_it_goes_on_from_them(older: RunStore) -> None:
    model = ModelCache().checkpoint(older, STOPPED, 42, actor=LOCAL)
    assert model.config.emb_dim == 2
    runner = TrainingRunner(older, threads=1)
    runner.resume(STOPPED, actor=LOCAL).result(timeout=60)
    wait_for_steps(older, STOPPED, 60)
    runner.stop(STOPPED, actor=LOCAL).result(timeout=60)
    runner.close()
    steps = older.steps(STOPPED)
    assert [step.global_step for step in steps] == list(range(len(steps)))
    assert not any("not what was recorded" in t.message for t in older.transitions(STOPPED))


@pytest.mark.usefixtures("own_runtime", "older_dir")
def test_the_pages_show_it() -> None:
    app = open_app("runs")
    assert "An old run" in str(components(app, "run_table"))
    app = open_app("train", run=STOPPED)
    assert "What step 42 did" in texts(app) + str([h.value for h in app.header])
    assert components(app, "live_chart")
    assert components(app, "sample_list")

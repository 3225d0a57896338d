"""What a student sees of others: all curves, and nothing that is private."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gpt_core.access import VisibleRuns
from gpt_core.analysis import CachedStore
from gpt_core.library import share_run
from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import Corpus, load_text
from tests.conftest import TINY, TINY_TRAINING

PRESET = Preset("tiny", "Two layers.", TINY, replace(TINY_TRAINING, record_inside=True))
SECRET = Corpus("diary.txt", "Dear diary, today the heron came. " * 60)
OPEN = load_text("counting")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that have ended: Ann's on a text of her own, Ben's on one of the app's."""
    store = RunStore(tmp_path_factory.mktemp("trained"))
    runner = TrainingRunner(store, threads=1)
    for text, owner in ((SECRET, "ann"), (OPEN, "ben")):
        assert runner.wait(runner.start(PRESET, text, actor=owner, run_id=f"{owner}s"), 60)
    runner.close()
    store.close()
    return store.runs_dir


@pytest.fixture
def store(trained: Path, tmp_path: Path) -> Iterator[RunStore]:
    """A store of its own for each test, with the two runs."""
    store = RunStore(shutil.copytree(trained, tmp_path / "runs"))
    yield store
    store.close()


@pytest.fixture
def cached_store(store: RunStore) -> CachedStore:
    return CachedStore(store)


def test_nothing_of_a_private_run_gives_its_text_away(cached_store: CachedStore) -> None:
    view = VisibleRuns(cached_store, "ben")
    run = view.run("anns")
    assert run is not None
    assert run.is_redacted
    seen = [
        *(run, view.summaries(), view.runs(), view.live_runs(), view.latest_run()),
        *(view.history("anns").recorded.samples, view.probes("anns"), view.probes_at("anns", 0)),
        *(view.checkpoints("anns"), view.best_checkpoint("anns"), view.inside("anns")),
    ]
    shown = repr(seen)
    assert "diary" not in shown
    assert "heron" not in shown
    assert SECRET.sha256 not in shown
    assert not view.history("anns").recorded.samples
    assert not view.checkpoints("anns")
    assert not view.inside("anns")  # its token IDs are those of a line of the text
    assert view.inside("bens")


@pytest.mark.parametrize("actor", ["ann", "teacher"])
def test_what_the_whole_class_watches_is_redacted_for_owner_and_teacher(
    cached_store: CachedStore, store: RunStore, actor: str
) -> None:
    view = VisibleRuns(cached_store, actor, for_class=True)
    seen = [
        *(view.run("anns"), view.summaries(), view.latest_run(), view.checkpoints("anns")),
        *view.probes("anns"),
    ]
    assert not view.inside("anns")
    assert "diary" not in repr(seen)
    assert "heron" not in repr(seen)
    assert not view.history("anns").recorded.samples
    share_run(store, "anns", True, actor=actor)
    assert view.history("anns").recorded.samples
    assert view.run("anns").text_name == "diary.txt"  # type: ignore[union-attr]


def test_the_curves_are_whole_and_made_once_for_all(cached_store: CachedStore) -> None:
    view, other = VisibleRuns(cached_store, "ben"), VisibleRuns(cached_store, "cleo")
    history = cached_store.history("anns")
    assert len(history.recorded.samples) == 2
    redacted = view.history("anns")
    assert redacted is other.history("anns")
    assert (redacted.recorded.steps == history.recorded.steps).all()
    evaluations = [h.recorded.evaluations.tobytes() for h in (redacted, history)]
    assert evaluations[0] == evaluations[1]  # bytes: NaN, where nothing is measured, is not itself
    made = history.derive("a chart", object, "evaluations")
    assert redacted.derive("a chart", object, "evaluations") is made
    assert history.derive("with samples", object) is not redacted.derive("with samples", object)
    assert len(view.evaluations("anns")) == len(history.recorded.evaluations)


@pytest.mark.parametrize("actor", ["ann", "teacher", "local"])
def test_owner_and_teacher_see_everything(cached_store: CachedStore, actor: str) -> None:
    view = VisibleRuns(cached_store, actor)
    assert view.run("anns") == cached_store.run("anns")
    assert view.history("anns") is cached_store.history("anns")
    assert view.probes("anns")
    assert view.inside("anns")
    assert view.checkpoints("anns")
    assert view.best_checkpoint("anns")
    assert {run.id: run.is_redacted for run in view.runs()} == {"anns": False, "bens": False}


def test_a_shared_run_is_seen_at_once(cached_store: CachedStore, store: RunStore) -> None:
    view = VisibleRuns(cached_store, "ben")
    assert view.run("anns").is_redacted  # type: ignore[union-attr]
    share_run(store, "anns", True, actor="ann")
    assert not view.run("anns").is_redacted  # type: ignore[union-attr]
    assert view.history("anns").recorded.samples
    share_run(store, "anns", False, actor="ann")
    assert not view.history("anns").recorded.samples


def test_the_latest_run_is_a_students_own_or_else_the_newest(cached_store: CachedStore) -> None:
    for actor, latest in (("ann", "anns"), ("ben", "bens"), ("cleo", "bens"), ("local", "bens")):
        assert VisibleRuns(cached_store, actor).latest_run().id == latest  # type: ignore[union-attr]


def test_only_ones_own_live_runs_are_ones_own(store: RunStore, runner: TrainingRunner) -> None:
    runner.hold(True, actor="local")
    runner.start(PRESET, OPEN, actor="ann", run_id="waits")
    cached_store = CachedStore(store)
    assert [run.id for run in VisibleRuns(cached_store, "ann").own_live_runs()] == ["waits"]
    assert VisibleRuns(cached_store, "ben").own_live_runs() == []
    assert [run.id for run in VisibleRuns(cached_store, "ben").live_runs()] == ["waits"]
    assert [run.id for run in VisibleRuns(cached_store, "teacher").own_live_runs()] == ["waits"]
    assert VisibleRuns(cached_store, "ben").run("nowhere") is None

"""What one may do with runs on record: names and notes, and deleting them with all they left."""

from pathlib import Path

import pytest

from gpt_core.analysis import CachedStore
from gpt_core.export import import_recorded_run
from gpt_core.library import TextLibrary, delete_run, label_run
from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import Corpus
from tests.conftest import TINY, TINY_TRAINING
from tests.support.curves import keep_chapter_run

OWN_TEXT = Corpus("mine", "The lamp burned low and the boats came home one by one. " * 40)
PRESET = Preset("pocket", "Two layers.", TINY, TINY_TRAINING)


@pytest.fixture
def store(tmp_path: Path):
    store = RunStore(tmp_path)
    yield store
    store.close()


def files_of(store: RunStore, run_id: str) -> list[Path]:
    return [path for path in store.runs_dir.rglob("*") if run_id in str(path)]


def train(store: RunStore, run_id: str = "doomed") -> None:
    runner = TrainingRunner(store, threads=1)
    runner.start(PRESET, OWN_TEXT, run_id=run_id, actor="local")
    assert runner.wait(run_id, 60)
    runner.close()


def test_the_name_and_note_of_a_run_are_the_last_it_was_given(store: RunStore) -> None:
    keep_chapter_run(store, "a-run", {0: (9.0, 9.0)})
    run = store.run("a-run")
    assert run is not None
    assert (run.name, run.note) == ("", "")
    label_run(store, "a-run", "  the first \n one ", "too high a rate\n", actor="local")
    label_run(store, "a-run", "the first one", "too high a learning rate", actor="teacher")
    (found,) = store.runs()
    assert (found.name, found.note) == ("the first one", "too high a learning rate")
    label_run(store, "a-run", "", "", actor="local")
    assert store.runs()[0].name == ""


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("\u200b", ""),
        ("a\u202egpj.exe", "agpj.exe"),  # turns what follows around
        ("nul\0 \x1b[31mred", "nul [31mred"),
        ("family 👨‍👩‍👧", "family 👨‍👩‍👧"),
        ("\u200d \u200c", ""),
        ("half \ud800 a pair", "half  a pair"),
    ],
)
def test_a_name_holds_only_what_can_be_seen(given: str, kept: str, store: RunStore) -> None:
    keep_chapter_run(store, "a-run", {0: (9.0, 9.0)})
    label_run(store, "a-run", given, given, actor="local")
    run = store.runs()[0]
    assert (run.name, run.note) == (" ".join(kept.split()), kept)


@pytest.mark.parametrize(
    ("name", "note", "message"),
    [
        ("x" * 81, "", "The name is 81 characters long: use at most 80"),
        ("", "x" * 2001, "The note is 2,001 characters long: use at most 2,000"),
    ],
)
def test_a_name_that_cannot_be_kept_is_refused_in_words(
    name: str, note: str, message: str, store: RunStore
) -> None:
    keep_chapter_run(store, "a-run", {0: (9.0, 9.0)})
    with pytest.raises(ValueError, match=message):
        label_run(store, "a-run", name, note, actor="local")


def test_there_must_be_a_run_to_name_or_delete(store: RunStore) -> None:
    with pytest.raises(ValueError, match="There is no run nobody"):
        label_run(store, "nobody", "x", "", actor="local")
    with pytest.raises(ValueError, match="There is no run nobody"):
        delete_run(store, "nobody", actor="local")


def test_a_deleted_run_leaves_no_row_no_checkpoint_and_no_text_behind(store: RunStore) -> None:
    keep_chapter_run(store, "another", {0: (9.0, 9.0)})
    train(store)
    label_run(store, "doomed", "a name", "", actor="local")
    assert list((store.runs_dir / "checkpoints" / "doomed").iterdir())
    delete_run(store, "doomed", actor="teacher")
    assert [run.id for run in store.runs()] == ["another"]
    for table in ("steps", "evaluations", "samples", "probes", "transitions", "checkpoints"):
        assert getattr(store, table)("doomed") == []
    assert files_of(store, "doomed") == []
    assert not store.text_path(OWN_TEXT.sha256).exists()
    assert not list((store.runs_dir / "tokens").rglob(f"*{OWN_TEXT.sha256}*"))
    assert [(row.run_id, row.actor) for row in store.deletions()] == [("doomed", "teacher")]


def test_a_text_stays_while_another_run_needs_it_or_somebody_keeps_it(store: RunStore) -> None:
    train(store, "first")
    train(store, "second")
    delete_run(store, "first", actor="local")
    assert store.text(OWN_TEXT.sha256) == OWN_TEXT.text
    TextLibrary(store, actor="local").keep(OWN_TEXT, "upload")
    delete_run(store, "second", actor="local")
    assert TextLibrary(store, actor="local").load(OWN_TEXT.sha256) == OWN_TEXT


def test_a_live_run_is_not_deleted_in_this_process_or_another(store: RunStore) -> None:
    runner = TrainingRunner(store, threads=1)
    runner.start(PRESET, OWN_TEXT, run_id="alive", actor="local")
    other = RunStore(store.runs_dir)  # as another process has it
    for mine in (store, other):
        with pytest.raises(ValueError, match=r"Run alive is (queued|running): stop it first"):
            delete_run(mine, "alive", actor="local")
    runner.stop("alive", actor="local").result(60)
    runner.wait("alive", 60)
    delete_run(other, "alive", actor="local")
    assert store.runs() == []
    other.close()
    runner.close()


def test_a_deletion_that_was_cut_off_is_finished_when_the_store_is_opened(store: RunStore) -> None:
    train(store)
    store.remove_run("doomed", "ada")  # and then the process is killed
    assert (store.runs_dir / "checkpoints" / "doomed").exists()
    train(store, "kept")
    assert not (store.runs_dir / "checkpoints" / "doomed").exists()
    assert (store.runs_dir / "checkpoints" / "kept").exists()


def test_a_run_that_comes_back_after_its_deletion_is_read_anew(store: RunStore) -> None:
    cached_store = CachedStore(store)
    run_id = import_recorded_run(store)
    steps = len(cached_store.history(run_id).recorded.steps)
    evaluations = len(cached_store.evaluations(run_id))
    assert steps
    assert evaluations
    delete_run(store, run_id, actor="local")
    assert cached_store.run(run_id) is None
    import_recorded_run(store)
    assert len(cached_store.history(run_id).recorded.steps) == steps
    assert len(cached_store.evaluations(run_id)) == evaluations

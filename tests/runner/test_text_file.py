"""A run on a text that stays in its file, against the same run on the text in memory."""

import shutil
from pathlib import Path

import pytest

from gpt_core.export import EXPORTS
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore, run_reader
from gpt_core.text import Corpus, TextFile, run_text, text_file, token_cache_in
from gpt_core.text.text_file import open_text_file
from tests.support.runs import SIX_EPOCHS, everything, wait_for_steps


@pytest.fixture
def file(corpus: Corpus, tmp_path: Path) -> TextFile:
    path = tmp_path / "counting.txt"
    path.write_text(corpus.text)
    return open_text_file(path, "counting.txt")


@pytest.mark.slow
def test_it_gives_the_same_losses_also_after_it_was_stopped_and_its_file_moved(
    runner: TrainingRunner,
    store: RunStore,
    file: TextFile,
    left_alone: dict[str, list],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (text_file, run_reader):
        monkeypatch.setattr(module, "MAX_TEXT_BYTES", 100)
    run_id = runner.start(SIX_EPOCHS, file, actor="local")
    wait_for_steps(store, run_id, 7)
    runner.stop(run_id, actor="local").result(timeout=30)
    file.path.unlink()
    runner.resume(run_id, actor="local").result(timeout=30)
    runner.wait(run_id, timeout=120)
    assert everything(store, run_id) == left_alone
    run = store.run(run_id)
    assert run is not None
    assert run.baselines is not None
    kept = run_text(store, run)
    assert isinstance(kept, TextFile)
    assert kept.path == store.text_path(file.sha256)
    assert [*token_cache_in(store.runs_dir)._folder.glob("*.npy")]


def test_what_reads_a_large_text_at_once_is_told_where_it_is(
    runner: TrainingRunner, store: RunStore, file: TextFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = runner.start(SIX_EPOCHS, file, actor="local")
    runner.stop(run_id, actor="local").result(timeout=30)
    run = store.run(run_id)
    assert run is not None
    assert store.text(run.text_sha256) == file[:]
    monkeypatch.setattr(run_reader, "MAX_TEXT_BYTES", 100)
    with pytest.raises(ValueError, match=rf"read at once.*{file.sha256}\.txt in the"):
        EXPORTS["text"].write(store, run)
    assert file.sha256 in EXPORTS["notebook"].write(store, run).decode()


def test_a_file_that_changed_before_it_was_copied_starts_no_run(
    runner: TrainingRunner, store: RunStore, file: TextFile
) -> None:
    run_id = runner.start(SIX_EPOCHS, file, actor="local")
    runner.stop(run_id, actor="local").result(timeout=30)
    store.text_path(file.sha256).unlink()
    file.path.write_text("something else")
    with pytest.raises(ValueError, match="changed while it was read: start the run again"):
        runner.start(SIX_EPOCHS, file, actor="local")
    assert len(store.runs()) == 1
    assert not [*(store.runs_dir / "texts").iterdir()]


def test_a_damaged_copy_is_not_trained_on(
    runner: TrainingRunner, store: RunStore, file: TextFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = runner.start(SIX_EPOCHS, file, actor="local")
    runner.stop(run_id, actor="local").result(timeout=30)
    monkeypatch.setattr(text_file, "MAX_TEXT_BYTES", 100)
    shutil.copy(Path(__file__), store.text_path(file.sha256))
    with pytest.raises(ValueError, match="text that the run was trained on is damaged"):
        runner.resume(run_id, actor="local")

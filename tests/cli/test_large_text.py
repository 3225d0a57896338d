"""A text from the terminal that is larger than an upload may be: it stays in its file."""

import re
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from gpt_core.cli import main
from gpt_core.store import RunStore
from gpt_core.text import Corpus, text_file

LINES = [f"The lamp has {i} wicks.\n" for i in range(60_000)]
SETTINGS = ["--epochs", "1", "--stride", "50000", "--context-length", "32", "--sample-tokens", "5"]
SETTINGS += ["--precision", "float32"]


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GPT_LAB_MAX_UPLOAD_MB", "1")
    path = tmp_path / "wicks.txt"
    path.write_text("".join(LINES))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("vocabulary", ["gpt2", "characters", "bpe"])
def test_it_trains_and_its_settings_train_again(
    vocabulary: str,
    text: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = ["--runs-dir", str(tmp_path / "runs")]
    shape = ["--vocabulary", vocabulary, *(["--vocab-size", "300"] if vocabulary == "bpe" else [])]
    shape += ["--emb-dim", "32", "--n-heads", "2", "--n-layers", "1"]
    assert main(["train", "--text", str(text), *SETTINGS, *shape, *runs, "--run-id", "one"]) == 0
    out, err = capsys.readouterr()
    assert re.search(r"wicks\.txt has 0\.0 GB and stays on the disk.* about 0\.0 GB in ", out)
    assert ("learnt from 6 MB" in out) == (vocabulary == "bpe")
    assert "Encoding: 100 %" in err
    settings = tmp_path / "settings.json"
    main(["export", "one", "--format", "settings", "--to", str(settings), *runs])
    monkeypatch.setattr(text_file, "MAX_TEXT_BYTES", 100)  # so that its copy stays in its file, too
    assert main(["train", "--settings", str(settings), "--run-id", "two", *runs]) == 0
    with closing(RunStore(tmp_path / "runs")) as store:
        losses = [[row.loss for row in store.steps(name)] for name in ("one", "two")]
        assert losses[0] == losses[1]
        assert len(losses[0]) > 2
        [kept] = (tmp_path / "runs" / "texts").iterdir()
        assert Corpus("Wicks", kept.read_text()).sha256 == kept.stem


def test_a_disk_without_room_is_refused_before_it_is_encoded(
    text: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 8, 1))
    assert main(["train", "--text", str(text), "--runs-dir", str(tmp_path / "runs")]) == 2
    assert "choose a directory on another disk with --runs-dir" in capsys.readouterr().err
    assert not [*(tmp_path / "runs").rglob("*.npy")]

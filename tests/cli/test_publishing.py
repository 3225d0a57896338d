"""The commands around publishing, without an app: what they refuse, and the token they make."""

import hashlib
from contextlib import closing
from pathlib import Path

import pytest

from gpt_core.cli import main
from gpt_core.publishing import TOKEN_VARIABLE, is_right_token, token_sha256
from gpt_core.store import RunStore
from tests.support.stored_runs import add_run

TOKEN = "twenty characters and more"


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)


def test_the_token_is_printed_once_and_kept_as_a_hash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert token_sha256(tmp_path) == ""
    assert main(["token", "--runs-dir", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    token = printed.out.strip()
    assert len(token) >= 40
    assert TOKEN_VARIABLE in printed.err
    assert is_right_token(token, token_sha256(tmp_path))
    assert not is_right_token(token[:-1], token_sha256(tmp_path))
    [file] = tmp_path.iterdir()
    assert file.read_text() == hashlib.sha256(token.encode()).hexdigest()
    assert main(["token", "--remove", "--runs-dir", str(tmp_path)]) == 0
    assert token_sha256(tmp_path) == ""


def test_the_environment_s_token_comes_before_the_file_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["token", "--runs-dir", str(tmp_path)])
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert is_right_token(TOKEN, token_sha256(tmp_path))
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN[:19])
    with pytest.raises(ValueError, match="fewer than 20 characters"):
        token_sha256(tmp_path)


@pytest.mark.parametrize("command", ["train", "resume", "publish"])
@pytest.mark.parametrize(
    ("url", "token", "sentence"),
    [
        ("http://localhost:8501", "", "Publishing needs the app's token"),
        ("localhost:8501", TOKEN, "localhost:8501 is not the address of an app: write http://"),
        ("ftp://localhost", TOKEN, "is not the address of an app"),
        ("http://", TOKEN, "is not the address of an app"),
        ("http://localhost:x", TOKEN, "is not the address of an app"),
        ("http://[", TOKEN, "is not the address of an app"),
        ("http://me:secret@localhost", TOKEN, "is not the address of an app"),
        ("http://localhost/?run=1", TOKEN, "is not the address of an app"),
        ("http://localhost", "a\nb" * 10, "has other characters than"),
    ],
)
def test_an_address_or_a_token_that_is_none_is_said_before_anything_trains(
    command: str,
    url: str,
    token: str,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with closing(RunStore(tmp_path)) as store:
        add_run(store)
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    arguments = {
        "train": ["--text", "counting", "--publish", url],
        "resume": ["a-run", "--publish", url],
        "publish": ["a-run", "--to", url],
    }
    assert main([command, *arguments[command], "--runs-dir", str(tmp_path)]) == 2
    assert sentence in capsys.readouterr().err
    with closing(RunStore(tmp_path)) as store:
        assert [run.id for run in store.runs()] == ["a-run"]
        assert not store.steps("a-run")


def test_a_run_that_is_not_there_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    arguments = ["publish", "none", "--to", "http://localhost:1", "--runs-dir", str(tmp_path)]
    assert main(arguments) == 2
    assert "There is no run none" in capsys.readouterr().err


def test_a_token_is_read_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing"
    arguments = ["resume", "x", "--publish", "http://localhost:1", "--token-file", str(missing)]
    assert main([*arguments, "--runs-dir", str(tmp_path)]) == 2
    assert "missing cannot be read" in capsys.readouterr().err
    missing.write_text(TOKEN + "\n")
    assert main([*arguments, "--runs-dir", str(tmp_path)]) == 2
    assert "There is no run x" in capsys.readouterr().err

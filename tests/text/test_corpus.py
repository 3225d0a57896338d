import hashlib
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import tiktoken

from gpt_core.presets import GPT_CONFIG_124M, PRESETS
from gpt_core.system import DATA_DIR
from gpt_core.text import (
    BUNDLED_TEXTS,
    DEFAULT_TEXT,
    GENERATED_TEXTS,
    VERDICT_SHA256,
    VERDICT_TITLE,
    Corpus,
    bundled_text,
    download_the_verdict,
    has_the_verdict,
    join_texts,
    load_text,
    read_text_file,
    read_upload,
    split_text,
)
from gpt_core.text.uploads import MAX_UPLOAD_MB
from gpt_core.training import prepare_data
from tests.support.paths import ROOT


def test_the_story_has_the_size_of_the_chapters_text(tokenizer: tiktoken.Encoding) -> None:
    text = load_text(DEFAULT_TEXT).text
    assert 21_000 <= len(text) <= 24_000
    assert len(tokenizer.encode(text)) >= 5_400
    data = prepare_data(text, tokenizer, GPT_CONFIG_124M, PRESETS["book-124m"].training)
    assert len(data.train_loader) >= 9
    assert [inputs.shape for inputs, _ in data.val_loader] == [(2, 256)]


@pytest.mark.parametrize("name", BUNDLED_TEXTS)
def test_every_bundled_text_fits_the_pocket_preset(name: str, tokenizer: tiktoken.Encoding) -> None:
    preset = PRESETS["pocket"]
    data = prepare_data(load_text(name).text, tokenizer, preset.model, preset.training)
    assert len(data.train_loader) >= 4


@pytest.mark.parametrize("name", sorted({*BUNDLED_TEXTS, "story-grammar"} - {*GENERATED_TEXTS}))
def test_every_bundled_text_is_described_with_its_hash(name: str) -> None:
    digest = hashlib.sha256((DATA_DIR / f"{name}.txt").read_bytes()).hexdigest()
    assert digest in (DATA_DIR / "README.md").read_text()


@pytest.mark.parametrize("name", GENERATED_TEXTS)
def test_a_generated_text_is_the_same_everywhere(name: str) -> None:
    assert hashlib.sha256(GENERATED_TEXTS[name].write().encode()).hexdigest() == (
        GENERATED_TEXTS[name].sha256
    )
    assert bundled_text(GENERATED_TEXTS[name].sha256) == name


def test_an_unknown_text_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="the-lamp-room, simple-stories"):
        load_text("ulysses")


def test_the_split_is_by_characters() -> None:
    assert split_text("abcdefghij", 0.9) == ("abcdefghi", "j")


# The Verdict


@pytest.fixture
def web(request: pytest.FixtureRequest) -> Iterator[str]:
    """Serve the bytes that the test names, on this machine."""
    body: bytes = request.param

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/the-verdict.txt"
    server.shutdown()
    thread.join()
    server.server_close()


VERDICT_BYTES_HERE = (
    (DATA_DIR / "the-verdict.txt").read_bytes() if has_the_verdict() else b"not here"
)


@pytest.mark.parametrize("web", [VERDICT_BYTES_HERE], indirect=True)
def test_the_verdict_is_fetched_checked_and_kept(web: str, tmp_path: Path, verdict: str) -> None:
    assert not has_the_verdict(tmp_path)
    corpus = download_the_verdict(tmp_path, web)
    assert corpus.text == verdict
    assert corpus.sha256 == VERDICT_SHA256
    assert load_text("the-verdict", tmp_path) == corpus
    assert [path.name for path in tmp_path.iterdir()] == ["the-verdict.txt"]


@pytest.mark.parametrize(
    "web", [b"<html>Please sign in to the school network</html>"], indirect=True
)
def test_another_file_than_the_verdict_is_not_kept(web: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"not The Verdict.*upload"):
        download_the_verdict(tmp_path, web)
    assert not list(tmp_path.iterdir())


def test_without_a_network_the_message_says_how_to_bring_the_verdict(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"could not be downloaded.*another machine.*upload"):
        download_the_verdict(tmp_path, "http://127.0.0.1:9/the-verdict.txt")


def test_the_verdict_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"fetch-verdict.*upload"):
        load_text("the-verdict", tmp_path)


def test_an_uploaded_verdict_is_recognised_by_its_hash(verdict: str) -> None:
    assert read_upload("my-file.txt", verdict.encode()).name == VERDICT_TITLE


# Uploads


def test_an_upload_in_utf_8_is_read_without_its_mark_and_with_plain_line_ends() -> None:
    assert read_upload("a.txt", b"\xef\xbb\xbfone\r\ntwo\rthree") == Corpus(
        "a.txt", "one\ntwo\nthree"
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty, 0 bytes"),
        (b" \n\t ", "holds no text"),
        (b"text with \x00 in it", "is not a text"),
        (b"a" * (MAX_UPLOAD_MB * 2**20 + 1), "larger than 100 MB.*GPT_LAB_MAX_UPLOAD_MB"),
    ],
    ids=["empty", "blank", "NUL", "large"],
)
def test_what_is_no_text_is_refused_by_its_name(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"'odd.txt'.*{message}"):
        read_upload("odd.txt", data)


def test_the_limit_can_be_set_and_is_below_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["maxUploadSize"] > MAX_UPLOAD_MB  # weights are larger
    monkeypatch.setenv("GPT_LAB_MAX_UPLOAD_MB", "1")
    with pytest.raises(ValueError, match="larger than 1 MB"):
        read_upload("a.txt", b"a" * (2**20 + 1))
    monkeypatch.setenv("GPT_LAB_MAX_UPLOAD_MB", "lots")
    with pytest.raises(ValueError, match="GPT_LAB_MAX_UPLOAD_MB='lots' is not a whole number"):
        read_upload("a.txt", b"text")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "../../etc/passwd"),  # only ever shown, never a path of ours
        ("a\nb\x00c\u202e.txt", "a b c .txt"),
        ('"<b>".txt', '"<b>".txt'),
        ("", "A text without a name"),
        ("x" * 300 + ".txt", "x" * 67 + "…" + "x" * 8 + ".txt"),
    ],
)
def test_a_files_name_is_one_line_and_not_too_long(name: str, shown: str) -> None:
    assert read_upload(name, b"some text").name == shown


def test_several_texts_become_one_with_the_end_of_text_between() -> None:
    one, two = Corpus("one.txt", "First."), Corpus("two.txt", "Second.")
    joined = join_texts([one, two])
    assert joined.text == "First.<|endoftext|>Second."
    assert joined.name == "2 texts: one.txt, two.txt"
    assert join_texts([one]) is one
    with pytest.raises(ValueError, match="choose at least one"):
        join_texts([])


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="damaged at character 1"):
        Corpus("pasted", "a\udc00")


def test_a_file_that_cannot_be_read_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        read_text_file(tmp_path)

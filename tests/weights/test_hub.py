"""GPT-2 from the Hugging Face hub, against a server here that answers as the hub does."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import filelock
import huggingface_hub
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.utils import _detect_agent

from gpt_core.config import GPTConfig
from gpt_core.model import build_model
from gpt_core.vocabularies import learn_vocabulary
from gpt_core.weights import download_gpt2, export_gpt2, how_to_get, load_gpt2, repository
from gpt_core.weights.hub import DownloadStopped, downloaded_gpt2
from tests.support.hub_server import COMMIT, GPT2, Handler, Hub, ask, serve_hub
from tests.support.network_watch import watched_environment
from tests.support.paths import ROOT

WEIGHTS = os.urandom(1_000_000)  # nothing here looks inside, but where a model is loaded
CONFIG = json.dumps({"model_type": "gpt2"}).encode()


@pytest.fixture
def server() -> Iterator[tuple[Hub, str]]:
    """A hub and its address."""
    with serve_hub(Hub({"config.json": CONFIG, "model.safetensors": WEIGHTS})) as served:
        yield served


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, and no hub but one that a test names."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("HF_TOKEN", "hf_not_to_be_sent")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    # As on anybody's machine, where the library was not used yet.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", tmp_path / "harnesses.json")
    monkeypatch.setattr(_detect_agent, "_registry", None)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    ask("http://127.0.0.1:9", monkeypatch)
    yield tmp_path / "cache"
    huggingface_hub.close_session()


@pytest.fixture
def hub(server: tuple[Hub, str], cache: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    ask(server[1], monkeypatch)
    return server[0]


def parts(cache: Path) -> list[int]:
    """Sizes of what has come of downloads that did not end."""
    return [path.stat().st_size for path in cache.rglob("*.incomplete")]


def assert_whole(folder: Path) -> None:
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert (folder / "config.json").read_bytes() == CONFIG


def test_names_of_a_gpt2_and_repositories_are_known() -> None:
    assert repository("124M") == repository("gpt2") == repository(GPT2) == GPT2
    assert repository("1558M") == repository("gpt2-xl") == "openai-community/gpt2-xl"
    assert repository("somebody/her.model_2") == "somebody/her.model_2"
    no_names = ["", "125M", "owner/", "/name", "../name", "a/b/c", "a/b--c", "a/b..c", "a/b.git"]
    for name in [*no_names, "-a/b", "a/b\n", "a b/c", "datasets/ü", "a/" + 97 * "b"]:
        assert repository(name) is None
        assert downloaded_gpt2(name) is None
        with pytest.raises(ValueError, match=r"names no GPT-2: choose 124M, .*owner/name"):
            download_gpt2(name)


def test_both_files_come_with_progress_and_nothing_is_asked_a_second_time(
    hub: Hub, cache: Path
) -> None:
    told: list[tuple[int, int]] = []
    assert downloaded_gpt2("124M") is None
    folder = download_gpt2("124M", lambda done, total: told.append((done, total)))
    assert_whole(folder)
    assert (told[0], told[-1]) == ((0, len(WEIGHTS)), (len(WEIGHTS), len(WEIGHTS)))
    assert len(told) > 5
    assert told == sorted(told)
    hub.requests.clear()
    assert download_gpt2("gpt2") == downloaded_gpt2(GPT2) == folder
    assert not hub.requests
    assert not parts(cache)


def test_other_tools_find_it_in_the_cache(hub: Hub, cache: Path) -> None:
    folder = download_gpt2("124M")
    there = huggingface_hub.hf_hub_download(GPT2, "model.safetensors", local_files_only=True)
    assert Path(there).parent == folder
    (repo,) = huggingface_hub.scan_cache_dir(cache).repos
    (revision,) = repo.revisions
    assert (repo.repo_id, revision.commit_hash, revision.refs) == (GPT2, COMMIT, {"main"})
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    assert sha256 in [file.blob_path.name for file in revision.files]
    assert not huggingface_hub.scan_cache_dir(cache).warnings
    hub.requests.clear()
    huggingface_hub.hf_hub_download(GPT2, "model.safetensors", token=False)
    assert [method for method, _, _ in hub.requests] == ["HEAD"]


def test_what_another_tool_downloaded_is_taken(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # there is none at this hub
    theirs = huggingface_hub.hf_hub_download(GPT2, "model.safetensors", token=False)
    assert downloaded_gpt2("124M") is None
    hub.requests.clear()
    assert_whole(download_gpt2("124M"))
    assert not hub.ranges
    assert downloaded_gpt2("124M") == Path(theirs).parent


def test_no_token_is_sent_and_only_the_files_are_asked_for(hub: Hub, cache: Path) -> None:
    download_gpt2("124M")
    assert [(method, file) for method, file, _ in hub.requests] == [
        ("HEAD", "config.json"),
        ("GET", "config.json"),
        ("HEAD", "model.safetensors"),
        ("GET", "model.safetensors"),  # which sends one to the next
        ("GET", "cdn"),
    ]
    for headers in hub.headers:
        assert "hf_not_to_be_sent" not in str(headers)
        assert "Authorization" not in headers
        assert "torch" not in str(headers)


def test_a_download_that_was_cut_off_goes_on_where_it_ended(hub: Hub, cache: Path) -> None:
    hub.cut_after = 300_000
    with pytest.raises(ValueError, match=r"broke off at 0\.3 of 1\.0 MB .*continues from there"):
        download_gpt2("124M")
    assert parts(cache) == [300_000]
    assert downloaded_gpt2("124M") is None
    with pytest.raises(ValueError, match=r"broke off at 0\.6 of 1\.0 MB"):
        download_gpt2("124M")
    hub.cut_after = None
    told: list[int] = []
    assert_whole(download_gpt2("124M", lambda done, total: told.append(done)))
    assert hub.ranges == [None, "bytes=300000-", "bytes=600000-"]
    assert told[0] == 600_000


def test_where_the_server_knows_no_ranges_it_begins_anew(hub: Hub, cache: Path) -> None:
    hub.cut_after, hub.ignores_ranges = 300_000, True
    with pytest.raises(ValueError, match="broke off"):
        download_gpt2("124M")
    hub.cut_after = None
    assert_whole(download_gpt2("124M"))
    assert hub.ranges == [None, "bytes=300000-"]


@pytest.mark.slow
def test_a_killed_process_leaves_what_the_next_one_goes_on_from(
    server: tuple[Hub, str], hub: Hub, cache: Path, tmp_path: Path
) -> None:
    # The child waits in its report when half has come; what it reached is watched too.
    program = (
        "import time\n"
        "from gpt_core.weights.hub import download_gpt2\n"
        "def report(done, total):\n"
        "    if done > total / 2: print(done, flush=True); time.sleep(60)\n"
        "download_gpt2('124M', report)\n"
    )
    watched, log = watched_environment(tmp_path)
    paths = os.pathsep.join([str(ROOT), watched["PYTHONPATH"]])
    own = {"HF_ENDPOINT": server[1], "HF_HUB_CACHE": str(cache), "PYTHONPATH": paths}
    own["HF_HUB_OFFLINE"] = "0"
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, **watched, **own},
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        assert int(child.stdout.readline()) > 500_000
        child.send_signal(signal.SIGKILL)
    assert log.read_text() == ""
    (come,) = parts(cache)
    assert come > 400_000
    assert_whole(download_gpt2("124M"))
    assert hub.ranges == [None, f"bytes={come}-"]


def test_stop_ends_it_and_a_later_call_goes_on(hub: Hub, cache: Path) -> None:
    told: list[int] = []
    with pytest.raises(DownloadStopped, match=r"Stopped at 0\.\d of 1\.0 MB.*continues from there"):
        download_gpt2("124M", lambda done, _: told.append(done), lambda: told[-1] > 400_000)
    assert parts(cache) == [told[-1]]
    assert told[-1] < 600_000
    assert_whole(download_gpt2("124M", stop=lambda: False))
    assert hub.ranges == [None, f"bytes={told[-1]}-"]


def test_wrong_bytes_of_the_right_length_are_refused_and_not_kept(hub: Hub, cache: Path) -> None:
    hub.sends["model.safetensors"] = WEIGHTS[:-1] + bytes([WEIGHTS[-1] ^ 1])
    with pytest.raises(ValueError, match=r"model\.safetensors of .*damaged .*SHA-256.*try again"):
        download_gpt2("124M")
    assert downloaded_gpt2("124M") is None
    assert [path.name for path in (cache / "models--openai-community--gpt2/blobs").iterdir()] == [
        hashlib.sha1(b"blob %d\0" % len(CONFIG) + CONFIG).hexdigest()
    ]
    hub.sends = hub.files
    assert_whole(download_gpt2("124M"))
    assert hub.ranges == [None, None]


@pytest.mark.parametrize("there", [len(WEIGHTS), len(WEIGHTS) + 5])
def test_a_part_that_is_whole_or_too_long_is_no_obstacle(there: int, hub: Hub, cache: Path) -> None:
    hub.cut_after = 0
    with pytest.raises(ValueError, match="could not be reached"):
        download_gpt2("124M")
    (part,) = cache.rglob("*.incomplete")
    part.write_bytes((WEIGHTS + b"12345")[:there])
    hub.cut_after = None
    hub.requests.clear()
    assert_whole(download_gpt2("124M"))
    assert hub.ranges == [] if there == len(WEIGHTS) else [None]


def test_a_repository_that_there_is_not_is_said(hub: Hub, cache: Path) -> None:
    with pytest.raises(ValueError, match=r"has no public repository some/body.*its name"):
        download_gpt2("some/body")
    assert not cache.exists()


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_repository_without_one_of_the_files_is_said(file: str, hub: Hub, cache: Path) -> None:
    del hub.files[file]
    with pytest.raises(ValueError, match=f"{GPT2} has no {file}: choose a GPT-2 .*124M"):
        download_gpt2("124M")


def test_a_busy_hub_is_said_with_where_to_get_the_files(hub: Hub, cache: Path) -> None:
    hub.is_busy = True
    with pytest.raises(ValueError, match=r"answered 503 .*try again later\. Without a network"):
        download_gpt2("124M")


def test_what_the_hub_sends_one_to_may_be_busy_too(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "send_weights", lambda self, _: self.answer(503))
    with pytest.raises(ValueError, match=r"answered 503 .*try again later\. Without a network"):
        download_gpt2("124M")


def test_a_sign_in_page_is_told_from_the_hub(hub: Hub, cache: Path) -> None:
    hub.is_another_site = True
    with pytest.raises(ValueError, match=r"did not answer as the hub.*sign-in page.*download"):
        download_gpt2("124M")


def test_without_a_network_the_message_says_where_to_get_the_files(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:9 could not be reached \(.*\)\. ") as error:
        download_gpt2("355M")
    assert how_to_get("gpt2-medium") in str(error.value)
    site = "https://huggingface.co/openai-community/gpt2-medium/resolve/main"
    assert f"{site}/model.safetensors and {site}/config.json on another" in how_to_get("355M")
    assert "config.json and, if there is one, tokenizer.json on" in how_to_get("some/body")
    ask("http://no-such-host.invalid", monkeypatch)
    with pytest.raises(ValueError, match=r"could not be reached \(.*import/ in the runs directory"):
        download_gpt2("124M")


def test_offline_mode_is_obeyed_and_named(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"could not be reached .*HF_HUB_OFFLINE.*download http"):
        download_gpt2("124M")
    assert not hub.requests
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    folder = download_gpt2("124M")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert download_gpt2("124M") == folder


def test_a_server_that_hangs_is_given_up(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.hangs = True
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.2)
    begin = time.monotonic()
    with pytest.raises(ValueError, match=r"could not be reached \(.*timed out.*\)\. Without"):
        download_gpt2("124M")
    assert time.monotonic() - begin < 0.7


def test_a_download_that_stands_still_is_given_up_and_kept(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stuck:
        hub.cut_after = 300_000
        with pytest.raises(ValueError, match="broke off"):
            download_gpt2("124M")
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.2)
        there = f"http://127.0.0.1:{stuck.getsockname()[1]}"
        monkeypatch.setattr(Handler, "send_weights", lambda self, _: self.answer(
            302, {"Location": there}
        ))  # fmt: skip
        with pytest.raises(ValueError, match=r"broke off at 0\.3 of 1\.0 MB \(.*timed out"):
            download_gpt2("124M")
    assert parts(cache) == [300_000]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_full_disk_is_said(hub: Hub, cache: Path) -> None:
    hub.cut_after = 0
    with pytest.raises(ValueError, match="could not be reached"):
        download_gpt2("124M")
    hub.cut_after = None
    (part,) = cache.rglob("*.incomplete")
    part.unlink()
    part.symlink_to("/dev/full")
    with pytest.raises(ValueError, match=r"saved in .*cache: No space left.*Make room.*HF_HOME"):
        download_gpt2("124M")


def test_a_disk_that_would_become_full_is_said_before(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 900_000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(ValueError, match=r"1\.0 MB are needed, and 0\.9 MB are free\. Make room"):
        download_gpt2("124M")
    assert not hub.ranges


def test_a_second_download_at_the_same_time_is_refused(hub: Hub, cache: Path) -> None:
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    lock = cache / ".locks" / "models--openai-community--gpt2" / f"{sha256}.lock"
    lock.parent.mkdir(parents=True)
    with (
        filelock.FileLock(lock),
        pytest.raises(ValueError, match=r"is being downloaded already.*wait"),
    ):
        download_gpt2("124M")
    assert_whole(download_gpt2("124M"))


def test_where_links_are_not_allowed_the_file_itself_is_put_there(
    hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    folder = download_gpt2("124M")
    assert_whole(folder)
    assert not (folder / "model.safetensors").is_symlink()
    assert not list((cache / "models--openai-community--gpt2/blobs").iterdir())


def test_a_link_that_leads_nowhere_is_made_good(hub: Hub, cache: Path) -> None:
    folder = download_gpt2("124M")
    (folder / "model.safetensors").resolve().unlink()
    assert downloaded_gpt2("124M") is None
    assert_whole(download_gpt2("124M"))
    assert (folder / "model.safetensors").is_symlink()


def test_what_came_is_a_model_that_writes_as_the_one_that_was_put_there(
    hub: Hub, cache: Path, tmp_path: Path
) -> None:
    config = GPTConfig(context_length=16, emb_dim=8, n_heads=2, n_layers=1, qkv_bias=True)
    model = build_model(config, seed=1).eval()
    export_gpt2(model, tmp_path / "theirs")
    hub.files = {path.name: path.read_bytes() for path in (tmp_path / "theirs").iterdir()}
    hub.sends = hub.files
    ids = torch.tensor([[15496, 11, 995]])
    assert torch.equal(load_gpt2(download_gpt2("124M"))(ids), model(ids))


def test_a_vocabulary_of_its_own_comes_along(hub: Hub, cache: Path, tmp_path: Path) -> None:
    vocabulary = learn_vocabulary("bpe", "the cat and the hat and the bat " * 20, 270)
    config = GPTConfig(vocab_size=270, context_length=16, emb_dim=8, n_heads=2, n_layers=1)
    model = build_model(replace(config, qkv_bias=True), seed=1).eval()
    model.vocabulary = vocabulary
    export_gpt2(model, tmp_path / "theirs")
    hub.repository = "some/body"
    hub.files = {path.name: path.read_bytes() for path in (tmp_path / "theirs").iterdir()}
    hub.sends = hub.files
    loaded = load_gpt2("some/body")
    assert loaded.vocabulary == vocabulary
    assert loaded.config == model.config
    hub.requests.clear()
    assert load_gpt2("some/body").vocabulary == vocabulary
    assert not hub.requests


def test_that_a_repository_has_no_tokenizer_is_asked_once(hub: Hub, cache: Path) -> None:
    hub.repository = "some/body"
    assert_whole(download_gpt2("some/body"))
    assert ("HEAD", "tokenizer.json", None) in hub.requests
    hub.requests.clear()
    assert_whole(download_gpt2("some/body"))
    assert not hub.requests
    assert not huggingface_hub.scan_cache_dir(cache).warnings

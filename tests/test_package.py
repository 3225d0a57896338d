"""The wheel, installed beside today's packages: one command anywhere."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from gpt_core.system.data_dir import DATA_DIR, USER_DIR
from tests.support.paths import ROOT
from tests.support.ports import free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the project was installed as a package, from a copy of its tree."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    for name in filter(None, tracked):
        if (ROOT / name).is_file() and not name.startswith("docs/screenshots"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    (source / "data" / "the-verdict.txt").write_text("fetched, not ours")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps"]
    subprocess.run([*pip, "--no-index", "--target", str(target), str(source)], check=True)
    return target


@pytest.fixture
def environment(installed: Path, tmp_path: Path) -> dict[str, str]:
    """What a user has who has installed it: no clone, no variables of ours, a home of their own."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("GPT_LAB", "STREAMLIT"))}
    home = {"HOME": str(tmp_path / "home"), "XDG_DATA_HOME": str(tmp_path / "home" / "data")}
    return {**kept, **home, "PYTHONPATH": str(installed)}


def command(installed: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(installed / "bin" / "gpt-lab"), *arguments]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def test_only_our_two_packages_are_installed(installed: Path) -> None:
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"gpt_core", "dashboard", "bin"}
    assert not list(installed.rglob("the-verdict.txt"))
    bundled = {path.name for path in (installed / "gpt_core" / "data").iterdir()}
    assert bundled >= {"gpt2.tiktoken", "the-lamp-room.txt", "lamp-room-124m.json"}


@pytest.mark.whole_run
def test_it_trains_and_exports_in_an_empty_folder(
    installed: Path, environment: dict[str, str], elsewhere: Path, tmp_path: Path
) -> None:
    options = ("--epochs", "1", "--n-layers", "1", "--emb-dim", "16", "--n-heads", "2")
    train = command(installed, "train", "--text", "counting", "--run-id", "mine", *options)
    done = subprocess.run(train, cwd=elsewhere, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Ep 1 (Step 000000)" in done.stdout
    assert not list(elsewhere.iterdir())
    assert (tmp_path / "home" / "data" / "gpt-lab" / "runs" / "runs.sqlite").is_file()
    listed = subprocess.run(
        command(installed, "runs"), cwd=elsewhere, env=environment, capture_output=True, text=True
    )
    assert "mine" in listed.stdout
    assert "finished" in listed.stdout
    exported = subprocess.run(
        command(installed, "export", "mine"), cwd=elsewhere, env=environment, capture_output=True
    )
    assert exported.stdout.startswith(b'"global_step"')


def test_gpt_core_is_imported_with_its_vocabulary_and_texts(
    installed: Path, environment: dict[str, str], elsewhere: Path
) -> None:
    program = (
        "from gpt_core import get_tokenizer, load_text, DEFAULT_TEXT\n"
        "import gpt_core; print(gpt_core.__file__, len(load_text(DEFAULT_TEXT).text))\n"
        "assert get_tokenizer().encode('Every effort moves you') == [6109, 3626, 6100, 345]"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=elsewhere, env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert str(installed).encode() in done.stdout


def open_websocket(port: int, host: str) -> int:
    """Ask for a websocket under a host's name; return the status of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {
        "Host": host,
        "Origin": f"http://{host}",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
    }
    connection.request("GET", "/_stcore/stream", headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_app_is_served_with_its_own_settings(
    installed: Path, environment: dict[str, str], elsewhere: Path, tmp_path: Path
) -> None:
    port = free_port()
    log = (tmp_path / "server.log").open("wb")
    server = subprocess.Popen(
        command(installed, "app", "--port", str(port)),
        cwd=elsewhere,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:
                    assert answer.read() == b"ok"
                break
            except OSError:
                assert time.monotonic() < deadline
                assert server.poll() is None, (tmp_path / "server.log").read_text()
                time.sleep(0.2)
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert b"<title>Streamlit</title>" in answer.read()
        # allowedHosts is one of our settings: without them any name would be let in.
        assert open_websocket(port, f"127.0.0.1:{port}") == 101
        assert open_websocket(port, "evil.example") == 403
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=60) == 0
        log.close()
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def test_every_page_of_the_installed_app_comes_up(
    installed: Path, environment: dict[str, str], elsewhere: Path
) -> None:
    program = (
        "from streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_file({str(installed / 'dashboard' / 'site' / 'main.py')!r},"
        " default_timeout=60).run()\n"
        "for page in ('home', 'runs', 'tokens', 'model', 'data', 'train', 'generate', 'weights'):\n"
        "    app.switch_page(f'pages/{page}.py').run()\n"
        "    assert app.title and not app.exception, (page, app.exception)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=elsewhere, env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]


def test_in_a_clone_everything_stays_in_its_folder() -> None:
    assert ROOT / "data" == DATA_DIR
    assert USER_DIR == ROOT

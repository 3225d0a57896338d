import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from gpt_core.runner import TrainingRunner
from gpt_core.store import RunState, RunStore
from gpt_core.system import landlock
from gpt_core.system.sandbox import NICENESS, Limits, Sandbox, SandboxError
from gpt_core.text import load_text, read_upload
from tests.support import sandboxed
from tests.support.documents import pdf
from tests.support.paths import ROOT
from tests.support.runs import LONG, wait_for_steps

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has all of the limits")

HERE = sandboxed.__name__
LIMITS = Limits(seconds=60, cpu_seconds=30, memory_bytes=2**29, output_bytes=2**20)
SHORT = replace(LIMITS, seconds=1.5)


def landlock_version() -> int:
    """Return the version of Landlock that this system has, 0 or less if it has none."""
    return int(ctypes.CDLL(None).syscall(landlock.CREATE_RULESET, None, 0, landlock.GET_VERSION))


def has_landlock() -> bool:
    return sys.platform == "linux" and landlock_version() > 0


def call(
    name: str, data: bytes = b"", limits: Limits = LIMITS, **options: Any
) -> tuple[Any, bytes]:
    with Sandbox(limits) as sandbox:
        return sandbox.call(f"{HERE}:{name}", data, options)


def test_bytes_and_options_go_in_and_come_back() -> None:
    data = bytes(range(256)) * 4000
    header, result = call("echo", data, word="größer", numbers=[1, 2.5, None])
    assert header["options"] == {"word": "größer", "numbers": [1, 2.5, None]}
    assert result == data


def test_more_bytes_than_a_pipe_holds_go_in_and_come_back() -> None:
    data = os.urandom(2**20) * 30
    assert call("echo", data, replace(LIMITS, output_bytes=2**25))[1] == data


def test_one_process_answers_many_calls_and_each_sandbox_has_its_own() -> None:
    with Sandbox(LIMITS) as sandbox:
        pids = {sandbox.call(f"{HERE}:echo", b"", {})[0]["pid"] for _ in range(3)}
        with pytest.raises(ValueError, match=r"'a\.txt' is not what it seems"):
            sandbox.call(f"{HERE}:refuse", b"", {})
        assert {sandbox.call(f"{HERE}:echo", b"", {})[0]["pid"]} == pids
    assert len(pids) == 1
    assert pids != {os.getpid()}
    assert not psutil.pid_exists(pids.pop())


def test_after_a_crash_the_next_call_is_answered_by_another_process() -> None:
    with Sandbox(LIMITS) as sandbox:
        before = sandbox.call(f"{HERE}:echo", b"", {})[0]["pid"]
        with pytest.raises(SandboxError):
            sandbox.call(f"{HERE}:crash", b"", {"signal": "SIGSEGV"})
        assert sandbox.call(f"{HERE}:echo", b"", {})[0]["pid"] != before


@pytest.mark.parametrize(
    ("name", "limits", "options", "sentence"),
    [
        ("sleep", SHORT, {}, "took more than 1.5 seconds to read"),
        ("declare_too_much", LIMITS, {}, "holds more than 1 MB of content"),
        ("compute", replace(LIMITS, cpu_seconds=1), {}, "took more than 1 second of computing"),
        ("allocate", LIMITS, {"bytes": 2**30}, "needed more than 512 MB of memory to read"),
        ("answer_at_length", LIMITS, {"bytes": 2**21}, "holds more than 1 MB of content"),
        ("crash", LIMITS, {"signal": "SIGSEGV"}, r"its reader crashed \(SIGSEGV\)"),
        ("crash", LIMITS, {"signal": "SIGABRT"}, r"its reader crashed \(SIGABRT\)"),
        ("crash", LIMITS, {"signal": "SIGKILL"}, r"its reader was killed \(is the machine's"),
        ("end", LIMITS, {}, r"its reader crashed \(exit code 3\)"),
        ("fail", LIMITS, {}, r"its reader crashed \(LookupError\)"),
        ("write_a_file", LIMITS, {"path": "written"}, r"its reader crashed \((OS|Permission)Error"),
    ],
)
def test_a_process_over_a_limit_or_in_a_crash_is_a_sentence_and_gone(
    name: str,
    limits: Limits,
    options: dict[str, Any],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with pytest.raises(SandboxError, match=sentence):
        call(name, b"something", limits, **options)
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before
    assert [path.stat().st_size for path in tmp_path.iterdir()] in ([], [0])


def test_input_that_does_not_fit_the_memory_is_a_sentence() -> None:
    with pytest.raises(SandboxError, match="needed more than 512 MB of memory"):
        call("echo", bytes(2**29 + 2**26))


def test_what_is_wrong_in_our_own_code_is_noted_at_the_error() -> None:
    with pytest.raises(SandboxError) as caught:
        call("fail")
    assert "a fault of ours" in caught.value.__notes__[0]


def test_what_a_library_prints_does_not_come_between_the_answers() -> None:
    assert call("print_something", b"the answer") == ({}, b"the answer")


def test_the_process_has_no_torch_no_file_of_its_parent_and_no_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_SECRET", "of the server's")
    ends = os.pipe()
    for end in ends:
        os.set_inheritable(end, True)
    try:
        found, _ = call("look_around")
    finally:
        for end in ends:
            os.close(end)
    assert {"torch", "numpy", "streamlit"}.isdisjoint(found["modules"])
    assert found["descriptors"].count("pipe") == 2  # requests and answers
    assert set(found["descriptors"]) == {"/dev/null", "pipe"}
    assert set(found["environment"]) <= {
        *("PYTHONPATH", "LD_LIBRARY_PATH", "LC_CTYPE", "OMP_NUM_THREADS")
    }


def test_it_writes_files_of_a_size_in_its_folder(tmp_path: Path) -> None:
    limits = replace(LIMITS, file_bytes=2**20)
    with Sandbox(limits, tmp_path) as sandbox:
        write, path = f"{HERE}:write_a_file", str(tmp_path / "a" / "written")
        sandbox.call(write, bytes(2**20), {"path": path})
        assert Path(path).stat().st_size == 2**20
        with pytest.raises(SandboxError, match="takes more than 1 MB of disk to read"):
            sandbox.call(write, bytes(2**20 + 1), {"path": path})


@pytest.mark.skipif(not has_landlock(), reason="this Linux has no Landlock")
@pytest.mark.parametrize("name", ["write", "cut", "remove", "move_out", "link", "fifo"])
def test_it_changes_nothing_outside_its_folder_and_makes_no_links(
    name: str, tmp_path: Path
) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.write_text("of the server's")
    (inside / "mine").write_text("its own")
    with Sandbox(replace(LIMITS, file_bytes=2**20), inside) as sandbox:
        with pytest.raises(SandboxError, match="its reader crashed"):
            sandbox.call(f"{HERE}:stray", b"", {"how": name, "folder": str(tmp_path)})
        sandbox.call(f"{HERE}:write_a_file", b"x", {"path": str(inside / "allowed")})
    assert outside.read_text() == "of the server's"
    assert {path.name for path in tmp_path.rglob("*")} == {"inside", "outside", "mine", "allowed"}


@pytest.mark.skipif(not has_landlock(), reason="this Linux has no Landlock")
def test_it_opens_no_connection_and_signals_nobody_where_landlock_knows_that() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found, _ = call("reach_out", port=server.getsockname()[1], pid=os.getpid())
    if landlock_version() >= 6:
        assert found == {"connect": "PermissionError", "signal": "PermissionError"}


def test_who_waits_is_told_and_can_end_the_reading() -> None:
    told: list[str] = []

    class TabClosed(BaseException):
        pass

    def watch(words: str) -> None:
        told.append(words)
        if len(told) == 3:
            raise TabClosed

    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with Sandbox(LIMITS) as sandbox:
        with pytest.raises(TabClosed):
            sandbox.call(f"{HERE}:sleep", b"", {}, watch)
        assert {child.pid for child in psutil.Process().children(recursive=True)} <= before
        assert told[0] == "0 seconds so far."
        assert sandbox.call(f"{HERE}:echo", b"again", {}, watch)[1] == b"again"


@pytest.mark.parametrize("name", ["book.pdf", "book.txt"])
def test_a_document_is_read_without_torch(name: str) -> None:
    with Sandbox(LIMITS) as sandbox:
        read = "gpt_core.documents.reading:read_for_sandbox"
        _, text = sandbox.call(read, pdf("Every effort moves you"), {"name": name})
        assert text == b"Every effort moves you\n"
        assert "torch" not in sandbox.call(f"{HERE}:look_around", b"", {})[0]["modules"]


def test_what_the_process_started_is_killed_with_it(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read_end = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with Sandbox(SHORT, tmp_path) as sandbox, pytest.raises(SandboxError, match="took more than"):
        sandbox.call(f"{HERE}:start_another_and_sleep", b"", {"fifo": str(fifo)})
    os.set_blocking(read_end, True)
    assert os.read(read_end, 2) == b"x"
    assert os.read(read_end, 2) == b""  # the last process that held it open is gone
    os.close(read_end)


def test_other_threads_go_on_while_one_waits_for_an_answer() -> None:
    ticks: list[float] = []
    waiting = threading.Event()

    def wait() -> None:
        waiting.set()
        with pytest.raises(SandboxError):
            call("compute", limits=SHORT)

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    while thread.is_alive():
        ticks.append(time.monotonic())
        time.sleep(0.01)
    assert len(ticks) > 10


def test_the_death_of_the_parent_ends_the_process() -> None:
    program = (
        "import sys; from gpt_core.system.sandbox import NICENESS, Limits, Sandbox\n"
        "sandbox = Sandbox(Limits())\n"
        f"print(sandbox.call('{HERE}:echo', b'', {{}})[0]['pid'], flush=True)\n"
        f"sandbox.call('{HERE}:compute', b'', {{}})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as parent:
        assert parent.stdout is not None
        reader = psutil.Process(int(parent.stdout.readline()))
        assert reader.ppid() == parent.pid
        parent.kill()
    reader.wait(timeout=30)  # before its own limits do


def test_a_reader_that_is_killed_is_a_sentence_and_the_run_beside_it_goes_on(
    store: RunStore, runner: TrainingRunner
) -> None:
    run_id = runner.start(LONG, load_text("counting"), actor="local")
    wait_for_steps(store, run_id, 1)
    errors: list[Exception] = []

    def read() -> None:
        try:
            call("compute")
        except SandboxError as error:
            errors.append(error)

    before = set(psutil.Process().children())
    thread = threading.Thread(target=read)
    thread.start()
    children: list[psutil.Process] = []
    while not children:
        children = [child for child in psutil.Process().children() if child not in before]
        time.sleep(0.01)
    children[0].send_signal(signal.SIGKILL)
    thread.join()
    assert "its reader was killed" in str(errors[0])
    wait_for_steps(store, run_id, len(store.steps(run_id)) + 2)
    assert read_upload("a.txt", b"the next text").text == "the next text"
    runner.stop(run_id, actor="local").result(60)
    assert store.run(run_id).state is RunState.STOPPED


def test_a_reader_lets_what_trains_compute_first() -> None:
    with Sandbox(LIMITS) as sandbox:
        reader = sandbox.call(f"{HERE}:echo", b"", {})[0]["pid"]
        assert psutil.Process(reader).nice() == min(19, psutil.Process().nice() + NICENESS)
        session = Path(f"/proc/{reader}/autogroup")  # by which Linux shares cores between sessions
        if session.exists():
            assert session.read_text().endswith(f"nice {NICENESS}\n")

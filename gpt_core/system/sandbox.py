"""A function of ours on bytes from elsewhere, in a process of its own with limits.

The libraries that read documents and weights are partly native code, and their input may be made
to break them. :class:`Sandbox` starts ``python -m gpt_core.system.sandbox``, sends it the bytes
through a pipe, and waits for the answer: the caller's other threads go on, and a process that
crashes, hangs or needs too much becomes one sentence.

The process inherits no open file and no environment. On Linux and macOS it has limits on CPU time,
memory and the size of files, and is killed with all that it started. On Linux it is also killed
when the thread that started it ends, and with Landlock it changes files only in the folder that it
is given, opens no TCP connection and signals no other process. Without Landlock that folder is a
convention. macOS does not enforce the limit on memory. On Windows only the wall time and the size
of the answer are limited.
"""

import json
import math
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass
from errno import EFBIG
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Self

from gpt_core.system.display_text import count
from gpt_core.system.errors import ErrorKind, error_kind
from gpt_core.system.landlock import restrict
from gpt_core.system.turns import POLL_SECONDS, Watch

MAX_HEADER_BYTES = 2**20
INHERITED = ("SYSTEMROOT", "LD_LIBRARY_PATH")  # without which Python may not start
NICENESS = 13  # of 19: what trains keeps more than half of its speed
PR_SET_PDEATHSIG = 1  # of prctl(2)
JOIN_SECONDS = 5.0  # for what is left in the pipes of a process that was killed


@dataclass(frozen=True)
class Limits:
    """What one call may use."""

    seconds: float = 120.0  # until the answer is there
    cpu_seconds: int = 60
    memory_bytes: int = 2**30  # of address space, beside the process's own when it begins
    output_bytes: int = 2**28
    file_bytes: int = 0  # of each file that it writes in its folder


Answer = tuple[dict[str, Any], bytes]  # what JSON can hold, and bytes


class SandboxError(ValueError):
    """A call gave no answer; the message continues a sentence that begins with the input's name."""


class Sandbox:
    """A process for one call or many, one after the other, to be used by the thread that made it.

    It starts at the first call. After a call that got no answer it is killed, and the next call
    starts another.

    Args:
        limits: what each call may use.
        folder: where it may change files; None: nowhere.
        imports: a module of ours that it imports before its memory is limited: a library's code
            takes an address space of its own.
    """

    def __init__(self, limits: Limits, folder: Path | None = None, imports: str = "") -> None:
        self.limits = limits
        self.folder = folder
        self.imports = imports
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(
        self,
        function: str,
        data: bytes | memoryview,
        options: dict[str, Any],
        watch: Watch | None = None,
    ) -> Answer:
        """Return what a function makes of some bytes: a header, which JSON can hold, and bytes.

        Args:
            function: "module:name" of a function of ours that takes ``data`` and ``options``.
            data: the bytes from elsewhere.
            options: what else the function needs, as JSON can hold it.
            watch: is told how long it takes; what it raises kills the process.

        Raises:
            SandboxError: the process was over a limit, crashed or was killed.
            ValueError: raised by the function; the message is the function's.
        """
        try:
            process = self.process or self._start()
        except OSError as error:  # no memory, or no handle for its pipes
            reason = error.strerror or str(error)
            raise SandboxError(f"could not be read: no process was started ({reason})") from error
        answers: list[Answer] = []
        request = {"function": function, "options": options}
        exchange = threading.Thread(
            target=_exchange,
            args=(process, request, data, self.limits.output_bytes, answers),
            daemon=True,
        )
        began, is_late = time.monotonic(), False
        exchange.start()
        try:
            while exchange.is_alive() and not is_late:
                waited = time.monotonic() - began
                is_late = waited >= self.limits.seconds
                exchange.join(min(POLL_SECONDS, max(0.0, self.limits.seconds - waited)))
                if watch is not None and exchange.is_alive():
                    watch(f"{count(round(waited), 'second')} so far.")
        finally:
            if not answers or "failure" in answers[0][0]:
                _kill(process)
                exchange.join(JOIN_SECONDS)
                code = self.close(is_read=not exchange.is_alive())
        if not answers:
            names = {-number: number.name for number in signal.Signals}
            failure = "time" if is_late else names.get(code, f"exit code {code}")
            answers = [({"failure": failure}, b"")]
        header, result = answers[0]
        if "refusal" in header:
            raise ValueError(header["refusal"])
        if "failure" in header:
            failed = SandboxError(self._describe(header["failure"]))
            failed.add_note(header.get("traceback", ""))
            raise failed
        return header["header"], result

    def close(self, *, is_read: bool = True) -> int:
        """Kill the process, if there is one, and return its exit code; if it had crashed, that.

        ``is_read`` is whether no thread reads its pipes any more, which are closed then.
        """
        process, self.process = self.process, None
        if process is None:
            return 0
        _kill(process)
        if is_read:
            with suppress(OSError), process:  # closes the pipes; some may not have been sent
                pass
        return process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment["OMP_NUM_THREADS"] = "1"  # each thread takes address space, and others' cores
        environment |= {"TMPDIR": str(self.folder)} if self.folder else {}
        environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, sys.path))
        command = [sys.executable, "-P", "-B", "-X", "utf8", "-m", "gpt_core.system.sandbox"]
        start = {"limits": asdict(self.limits), "parent": os.getpid(), "imports": self.imports}
        start |= {"folder": str(self.folder) if self.folder else None}
        self.process = subprocess.Popen(  # noqa: S603 (our own program)
            [*command, json.dumps(start)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # a group of its own, which is killed as a whole
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        return self.process

    def _describe(self, failure: str) -> str:
        """Return a failure as the rest of a sentence."""
        limits = self.limits
        return {
            "time": f"took more than {limits.seconds:,g} seconds to read",
            "SIGXCPU": f"took more than {count(limits.cpu_seconds, 'second')} of computing to read",
            "memory": f"needed more than {limits.memory_bytes / 2**20:,.0f} MB of memory to read",
            "file": f"takes more than {limits.file_bytes / 2**20:,.0f} MB of disk to read",
            "disk": f"needs up to {limits.file_bytes / 2**20:,.0f} MB of disk to read, where "
            "temporary files go, and the disk is full",
            "output": f"holds more than {limits.output_bytes / 2**20:,.0f} MB of content",
            "SIGKILL": "could not be read: its reader was killed (is the machine's memory full?)",
        }.get(failure, f"could not be read: its reader crashed ({failure})")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that has not been waited for, and all that it started."""
    with suppress(OSError):  # it has ended
        if process.returncode is None and sys.platform != "win32":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _exchange(
    process: subprocess.Popen[bytes],
    request: dict[str, Any],
    data: bytes | memoryview,
    output_bytes: int,
    answers: list[Answer],
) -> None:
    """Send a request and add its answer; none if the process has crashed or was killed."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(OSError):
        _send(process.stdin, request, data)
    with suppress(OSError, MemoryError):
        answer = _receive(process.stdout, output_bytes)
        answers += [] if answer is None else [answer]


def _send(pipe: IO[bytes], header: dict[str, Any], data: bytes | memoryview) -> None:
    """Send a message: length of a header, header in JSON, length of the data, data."""
    described = json.dumps(header).encode("utf-8")
    pipe.write(struct.pack(">I", len(described)) + described + struct.pack(">Q", len(data)))
    pipe.write(data)
    pipe.flush()


def _receive(pipe: IO[bytes], most: int) -> Answer | None:
    """Return a message of at most so many bytes; None if there is no whole one."""
    try:
        (length,) = struct.unpack(">I", pipe.read(4))
        header = json.loads(pipe.read(length)) if length <= MAX_HEADER_BYTES else None
        (length,) = struct.unpack(">Q", pipe.read(8))
    except (struct.error, ValueError):
        return None
    if length > most:
        return {"failure": "output"}, b""
    data = pipe.read(length)
    return (header, data) if isinstance(header, dict) and len(data) == length else None


# In the process itself


def _restrict(limits: Limits, parent: int, folder: Path | None, imports: str) -> None:
    """Give up, for good, what no call needs; import a module before the memory is limited."""
    if sys.platform == "linux":
        import ctypes  # here: the other side does not need it

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before
            sys.exit(1)
    if sys.platform != "win32":
        os.nice(NICENESS)  # what trains has its turn first
        with suppress(OSError):  # on Linux the niceness of its session counts, if there are such
            Path("/proc/self/autogroup").write_text(str(NICENESS))
    restrict(folder)  # before there is another thread
    if imports:
        import_module(imports)
    _set_limit("AS", _address_space() + limits.memory_bytes, for_good=True)
    _set_limit("FSIZE", limits.file_bytes, for_good=True)
    _set_limit("CORE", 0, for_good=True)


def _address_space() -> int:
    """Return how many bytes of address space this process takes."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _limit_time(cpu_seconds: int, seconds: int) -> None:
    """Let the system end this process after so much CPU time, or time if the parent has ended."""
    _set_limit("CPU", math.ceil(time.process_time()) + cpu_seconds)
    if sys.platform != "win32":
        signal.alarm(seconds)


def _set_limit(name: str, value: int, *, for_good: bool = False) -> None:
    if sys.platform != "win32":
        import resource  # here: Windows has none

        with suppress(ValueError, OSError):  # a lower one is set, or the system has none of these
            kind = getattr(resource, f"RLIMIT_{name}")
            resource.setrlimit(kind, (value, value if for_good else resource.getrlimit(kind)[1]))


def _answer(request: Answer) -> Answer:
    """Return the answer to one request."""
    try:
        module, _, name = request[0]["function"].partition(":")
        header, data = getattr(import_module(module), name)(request[1], request[0]["options"])
    except Exception as error:
        if failure := _failure(error):
            return {"failure": failure}, b""
        if isinstance(error, ValueError):
            return {"refusal": str(error)}, b""
        told = traceback.format_exc()[-MAX_HEADER_BYTES // 16 :]
        return {"failure": type(error).__name__, "traceback": told}, b""
    return {"header": header}, data


def _failure(error: BaseException) -> str | None:
    """Return which limit an error comes from, also one that was put in words; None if from none."""
    if isinstance(error, ValueError):
        return _failure(error.__cause__) if error.__cause__ else None
    limits = {ErrorKind.MEMORY_FULL: "memory", ErrorKind.DISK_FULL: "disk"}
    is_too_large = getattr(error, "errno", None) == EFBIG or os.strerror(EFBIG) in str(error)
    return limits.get(error_kind(error)) or ("file" if is_too_large else None)


def _serve() -> None:
    """Answer requests until the pipe is closed."""
    start = json.loads(sys.argv[1])
    limits, folder = Limits(**start["limits"]), start["folder"]
    # What a library prints must not come between the answers.
    with os.fdopen(os.dup(0), "rb") as requests, os.fdopen(os.dup(1), "wb") as answers:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        _restrict(limits, start["parent"], Path(folder) if folder else None, start["imports"])
        while True:
            try:
                request = _receive(requests, sys.maxsize)
            except MemoryError:
                return _send(answers, {"failure": "memory"}, b"")
            if request is None:
                return None
            _limit_time(limits.cpu_seconds, math.ceil(limits.seconds) + 1)
            header, result = _answer(request)
            if len(result) > limits.output_bytes:
                header, result = {"failure": "output"}, b""
            _send(answers, header, result)
            _limit_time(limits.cpu_seconds, 0)  # no alarm between two calls


if __name__ == "__main__":
    _serve()

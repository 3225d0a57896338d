"""A function of ours on bytes from elsewhere, in a process of its own with limits.

The libraries that read documents and weights are partly native code, and their input may be made
to break them. :class:`Sandbox` starts ``python -m gpt_core.system.sandbox``, sends it the bytes
through a pipe, and waits for the answer: the caller's other threads go on, and a process that
crashes, hangs or needs too much becomes one sentence.

The process inherits no open file and no environment. On Linux and macOS it has limits on CPU time
and memory, writes no file, and is killed with all that it started; on Linux it is also killed when
the thread that started it ends. macOS does not enforce the limit on memory. On Windows only the
wall time and the size of the answer are limited.
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
from importlib import import_module
from typing import IO, Any, Self

from gpt_core.system.display_text import count

MAX_HEADER_BYTES = 2**20
INHERITED = ("SYSTEMROOT", "LD_LIBRARY_PATH")  # without which Python may not start
PR_SET_PDEATHSIG = 1  # of prctl(2)


@dataclass(frozen=True)
class Limits:
    """What one call may use."""

    seconds: float = 120.0  # until the answer is there
    cpu_seconds: int = 60
    memory_bytes: int = 2**30  # of address space
    output_bytes: int = 2**28


class SandboxError(ValueError):
    """A call gave no answer; the message continues a sentence that begins with the input's name."""


class Sandbox:
    """A process for one call or many, one after the other, to be used by the thread that made it.

    It starts at the first call. After a call that got no answer it is killed, and the next call
    starts another.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(
        self, function: str, data: bytes | memoryview, options: dict[str, Any]
    ) -> tuple[dict[str, Any], bytes]:
        """Return what a function makes of some bytes: a header, which JSON can hold, and bytes.

        Args:
            function: "module:name" of a function of ours that takes ``data`` and ``options``.
            data: the bytes from elsewhere.
            options: what else the function needs, as JSON can hold it.

        Raises:
            SandboxError: the process was over a limit, crashed or was killed.
            ValueError: raised by the function; the message is the function's.
        """
        process = self.process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        began, answer = time.monotonic(), None
        timer = threading.Timer(self.limits.seconds, _kill, [process])
        timer.start()
        try:
            with suppress(OSError):  # it has crashed: there is no answer either
                _send(process.stdin, {"function": function, "options": options}, data)
            answer = _receive(process.stdout, self.limits.output_bytes)
        finally:
            timer.cancel()
            timer.join()  # so that it does not kill the next process of that number
            if answer is None or "failure" in answer[0]:
                code = self.close()
        if answer is None:
            names = {-number: number.name for number in signal.Signals}
            is_late = time.monotonic() - began >= self.limits.seconds
            failure = "time" if is_late else names.get(code, f"exit code {code}")
            answer = {"failure": failure}, b""
        header, result = answer
        if "refusal" in header:
            raise ValueError(header["refusal"])
        if "failure" in header:
            error = SandboxError(self._describe(header["failure"]))
            error.add_note(header.get("traceback", ""))
            raise error
        return header["header"], result

    def close(self) -> int:
        """Kill the process, if there is one, and return its exit code; if it had crashed, that."""
        process, self.process = self.process, None
        if process is None:
            return 0
        _kill(process)
        with suppress(OSError), process:  # closes the pipes; some may not have been sent
            pass
        return process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, sys.path))
        command = [sys.executable, "-P", "-B", "-X", "utf8", "-m", "gpt_core.system.sandbox"]
        self.process = subprocess.Popen(  # noqa: S603 (our own program)
            [*command, json.dumps(asdict(self.limits)), str(os.getpid())],
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


def _send(pipe: IO[bytes], header: dict[str, Any], data: bytes | memoryview) -> None:
    """Send a message: length of a header, header in JSON, length of the data, data."""
    described = json.dumps(header).encode("utf-8")
    pipe.write(struct.pack(">I", len(described)) + described + struct.pack(">Q", len(data)))
    pipe.write(data)
    pipe.flush()


def _receive(pipe: IO[bytes], most: int) -> tuple[dict[str, Any], bytes] | None:
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


def _restrict(limits: Limits, parent: int) -> None:
    """Give up, for good, what no call needs."""
    if sys.platform == "linux":
        import ctypes  # here: the other side does not need it

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before
            sys.exit(1)
    _set_limit("AS", limits.memory_bytes, for_good=True)
    _set_limit("FSIZE", 0, for_good=True)
    _set_limit("CORE", 0, for_good=True)


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


def _answer(request: tuple[dict[str, Any], bytes]) -> tuple[dict[str, Any], bytes]:
    """Return the answer to one request."""
    try:
        module, _, name = request[0]["function"].partition(":")
        header, data = getattr(import_module(module), name)(request[1], request[0]["options"])
    except MemoryError:
        return {"failure": "memory"}, b""
    except ValueError as error:
        return {"refusal": str(error)}, b""
    except Exception as error:
        told = traceback.format_exc()[-MAX_HEADER_BYTES // 16 :]
        return {"failure": type(error).__name__, "traceback": told}, b""
    return {"header": header}, data


def _serve() -> None:
    """Answer requests until the pipe is closed."""
    limits, parent = Limits(**json.loads(sys.argv[1])), int(sys.argv[2])
    # What a library prints must not come between the answers.
    with os.fdopen(os.dup(0), "rb") as requests, os.fdopen(os.dup(1), "wb") as answers:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        _restrict(limits, parent)
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

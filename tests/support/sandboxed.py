"""Functions that a test runs in the sandbox: what they do is what hostile input makes a reader do.

They import nothing that the sandbox does not.
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

Answer = tuple[dict[str, Any], bytes]


def echo(data: bytes, options: dict[str, Any]) -> Answer:
    return {"options": options, "pid": os.getpid()}, data


def refuse(data: bytes, options: dict[str, Any]) -> Answer:
    raise ValueError("'a.txt' is not what it seems: choose another.")


def fail(data: bytes, options: dict[str, Any]) -> Answer:
    raise LookupError("a fault of ours")


def sleep(data: bytes, options: dict[str, Any]) -> Answer:
    time.sleep(600)
    return {}, b""


def start_another_and_sleep(data: bytes, options: dict[str, Any]) -> Answer:
    if os.fork() == 0:
        os.write(os.open(options["fifo"], os.O_WRONLY), b"x")  # open as long as this process lives
    time.sleep(600)
    return {}, b""


def compute(data: bytes, options: dict[str, Any]) -> Answer:
    while True:
        pass


def allocate(data: bytes, options: dict[str, Any]) -> Answer:
    return {}, bytes(options["bytes"])[:1]


def answer_at_length(data: bytes, options: dict[str, Any]) -> Answer:
    return {}, bytes(options["bytes"])


def crash(data: bytes, options: dict[str, Any]) -> Answer:
    os.kill(os.getpid(), getattr(signal, options["signal"]))
    return {}, b""


def end(data: bytes, options: dict[str, Any]) -> Answer:
    os._exit(3)


def declare_too_much(data: bytes, options: dict[str, Any]) -> Answer:
    """Write a false answer into every pipe, as a reader in the hands of an attacker might."""
    for descriptor in _open_descriptors():
        try:
            os.write(descriptor, b"\0\0\0\2{}" + b"\xff" * 8)
        except OSError:
            continue
    time.sleep(600)
    return {}, b""


def print_something(data: bytes, options: dict[str, Any]) -> Answer:
    os.write(1, b"a library says something")
    print("and something else", flush=True)
    return {}, data


def write_a_file(data: bytes, options: dict[str, Any]) -> Answer:
    Path(options["path"]).parent.mkdir(exist_ok=True)
    Path(options["path"]).write_bytes(data)
    return {}, b""


def stray(data: bytes, options: dict[str, Any]) -> Answer:
    """Change something outside the folder "inside", or make more than a file in it."""
    folder = Path(options["folder"])
    inside, outside = folder / "inside", folder / "outside"
    {
        "write": lambda: (folder / "new").write_bytes(b"x"),
        "cut": lambda: os.truncate(outside, 0),
        "remove": outside.unlink,
        "move_out": lambda: (inside / "mine").rename(folder / "moved"),
        "link": lambda: (inside / "link").symlink_to(outside),
        "fifo": lambda: os.mkfifo(inside / "fifo"),
    }[options["how"]]()
    return {}, b""


def reach_out(data: bytes, options: dict[str, Any]) -> Answer:
    """Return the errors of a connection to this machine and of a signal to another process."""
    import socket  # here: it takes memory, of which other functions have little

    found = {}
    for name, reach in (
        ("connect", lambda: socket.create_connection(("127.0.0.1", options["port"])).close()),
        ("signal", lambda: os.kill(options["pid"], 0)),
    ):
        try:
            reach()
            found[name] = ""
        except OSError as error:
            found[name] = type(error).__name__
    return found, b""


def unpickle(data: bytes, options: dict[str, Any]) -> Answer:
    """Load a file of torch.save without a look at it before."""
    import torch  # here: no other function needs it

    torch.load(options["path"], weights_only=True)
    return {}, b""


def look_around(data: bytes, options: dict[str, Any]) -> Answer:
    """Return what the process has: loaded modules, open files, environment."""
    kinds = [_kind(descriptor) for descriptor in _open_descriptors()]
    return {
        "modules": sorted(sys.modules),
        "descriptors": sorted(kinds),
        "environment": sorted(os.environ),
    }, b""


def _open_descriptors() -> list[int]:
    """Return the numbers of this process's open files, without the listing's own."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            os.fstat(int(name))
        except OSError:
            continue
        found.append(int(name))
    return found


def _kind(descriptor: int) -> str:
    target = os.readlink(f"/proc/self/fd/{descriptor}")
    return target.partition(":")[0]

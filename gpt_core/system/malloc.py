"""Memory for training steps: glibc reuses it from step to step instead of requesting it anew.

A step of the chapter's model allocates and frees over a gigabyte of temporaries. By default
glibc returns each large one to the kernel at once, and the next step waits for as many zeroed
pages: a quarter of its time (docs/LOG.md). Without glibc, these functions have no effect on
memory.
"""

import ctypes
import platform
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of mallopt(3)
ATTEMPTS = 64  # more than the usual number of arenas; the last thread is used with any arena


def keep_freed_memory() -> None:
    """Let this process keep freed memory for its next allocations."""
    libc = _glibc()
    if libc is None:
        return
    # Older versions refuse a threshold above 32 MB and return 0.
    if libc.mallopt(M_MMAP_THRESHOLD, 2**30) or libc.mallopt(M_MMAP_THRESHOLD, 2**25):
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_ARENA_MAX, 1)


def return_freed_memory() -> None:
    """Return free memory to the system, for instance when no run is left."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def start_thread(target: Callable[[], None], name: str) -> threading.Thread:
    """Start a daemon thread that benefits from :func:`keep_freed_memory`.

    Only glibc's main arena grows beyond 64 MB, and glibc chooses the arena of each thread.
    Threads are therefore started until one has the main arena; the others wait, so that their
    arenas stay taken, and then end.
    """
    settled = threading.Event()
    for attempts_left in reversed(range(ATTEMPTS)):
        goes_on: queue.SimpleQueue[bool] = queue.SimpleQueue()

        def begin(
            goes_on: queue.SimpleQueue[bool] = goes_on, last: bool = not attempts_left
        ) -> None:
            is_chosen = last or has_main_arena()
            goes_on.put(is_chosen)
            if is_chosen:
                target()
            else:
                settled.wait()

        # A daemon, because another thread would keep the process from ending.
        thread = threading.Thread(target=begin, name=name, daemon=True)
        thread.start()
        if goes_on.get():
            break
    settled.set()
    return thread


def has_main_arena() -> bool:
    """Tell whether this thread allocates from the process's one growing heap.

    The answer is True if this cannot be determined.
    """
    libc = _glibc()
    if libc is None:
        return True
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    address = libc.malloc(2**16)
    libc.free(address)
    try:
        maps = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return True
    heaps = [line for line in maps if "[heap]" in line]
    limits = [[int(limit, 16) for limit in line.split()[0].split("-")] for line in heaps]
    return any(start <= address < end for start, end in limits)


def _glibc() -> ctypes.CDLL | None:
    is_glibc = sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
    return ctypes.CDLL(None) if is_glibc else None

"""How glibc gives a training step its memory: kept from step to step, not fetched anew.

A step of the chapter's model allocates and frees over a gigabyte of temporaries. By default
glibc returns each large one to the kernel at once, and the next step waits for as many zeroed
pages: a quarter of its time (docs/LOG.md). Where there is no glibc, nothing here does anything.
"""

import ctypes
import platform
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of mallopt(3)
ATTEMPTS = 64  # more than there usually are arenas; the last thread is taken as it is


def keep_freed_memory() -> None:
    """Let this process keep freed memory, for what it allocates next."""
    libc = _glibc()
    if libc is None:
        return
    # Older ones refuse a threshold above 32 MB, and answer 0.
    if libc.mallopt(M_MMAP_THRESHOLD, 2**30) or libc.mallopt(M_MMAP_THRESHOLD, 2**25):
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(M_ARENA_MAX, 1)


def return_freed_memory() -> None:
    """Give what is free back to the system, as when no run is left."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def start_thread(target: Callable[[], None], name: str) -> threading.Thread:
    """Start a daemon thread that profits from :func:`keep_freed_memory`.

    Only glibc's main arena grows beyond 64 MB, and which one a thread gets is glibc's choice.
    So threads are started until one has it; the others hold theirs until then, and end.
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

        # A daemon: a thread that is not would keep the process from ending.
        thread = threading.Thread(target=begin, name=name, daemon=True)
        thread.start()
        if goes_on.get():
            break
    settled.set()
    return thread


def has_main_arena() -> bool:
    """Tell whether what this thread allocates lies in the process's one growing heap.

    Where that cannot be told, the thread is as good as any other.
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

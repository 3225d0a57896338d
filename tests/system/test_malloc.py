import platform
import subprocess
import sys
import threading

import pytest

from gpt_core.system import keep_freed_memory, return_freed_memory, start_thread
from gpt_core.system.malloc import has_main_arena
from tests.support.paths import ROOT

ON_GLIBC = sys.platform == "linux" and platform.libc_ver()[0] == "glibc"


def test_the_thread_is_a_daemon_with_its_name_and_does_its_work_once() -> None:
    done: list[str] = []
    thread = start_thread(lambda: done.append(threading.current_thread().name), name="worker")
    thread.join()
    assert thread.daemon
    assert done == ["worker"]


def test_threads_that_were_tried_do_not_stay() -> None:
    before = threading.active_count()
    start_thread(lambda: None, name="worker").join()
    for thread in threading.enumerate():
        if thread.name == "worker":
            thread.join(timeout=10)
    assert threading.active_count() <= before


@pytest.mark.skipif(not ON_GLIBC, reason="only glibc has arenas")
def test_the_thread_has_the_arena_that_grows_even_if_others_wait_for_a_user() -> None:
    keep_freed_memory()
    others = [threading.Thread(target=lambda: [bytes(5000) for _ in range(99)]) for _ in range(8)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    answers: list[bool] = []
    start_thread(lambda: answers.append(has_main_arena()), name="worker").join()
    assert answers == [True]


PROGRAM = """
import resource
import torch
from gpt_core.system.malloc import keep_freed_memory, start_thread

def work():
    # 100 MB, freed at once: 24,000 pages of 4 KiB. Each aligned allocation cuts a small tail
    # off, and while such a tail lies in the thread's cache (which takes seven of a size), the
    # block before it is a little too short for the next. So the first eight do not count.
    for _ in range(8):
        torch.zeros(25_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.zeros(25_000_000)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

keep_freed_memory()
start_thread(work, name="worker").join()
"""


@pytest.mark.slow
@pytest.mark.skipif(not ON_GLIBC, reason="only glibc keeps memory this way")
def test_freed_memory_is_used_again_without_new_pages() -> None:
    # In a process of its own, as an app is: this one's heap is full of other tests.
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert int(answer.stdout) < 100_000  # of 244,000, were each fetched anew


def test_freed_memory_can_be_returned_at_any_time() -> None:
    return_freed_memory()

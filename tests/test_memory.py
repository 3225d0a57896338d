import platform
import sys
import threading

import pytest

from gpt_core.memory import has_main_arena, keep_freed_memory, return_freed_memory, start_thread

ON_GLIBC = sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
if ON_GLIBC:
    import resource


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


@pytest.mark.skipif(not ON_GLIBC, reason="only glibc keeps memory this way")
def test_freed_memory_is_used_again_without_new_pages() -> None:
    import torch

    def page_faults_of(times: int) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(times):
            torch.zeros(25_000_000)  # 100 MB, freed at once: 24,000 pages of 4 KiB
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    keep_freed_memory()
    faults: list[int] = []

    def work() -> None:
        page_faults_of(1)
        faults.append(page_faults_of(10))

    start_thread(work, name="worker").join()
    assert faults[0] < 100_000  # of 244,000, were each fetched anew
    return_freed_memory()

import threading

import pytest

from gpt_core.runner.queue import request_queue as requests_module
from gpt_core.runner.queue.request_queue import RequestQueue


def test_what_is_asked_is_done_in_order_by_the_thread_that_serves() -> None:
    requests, done = RequestQueue(), []
    futures = [requests.ask(lambda i=i: done.append((i, threading.get_ident()))) for i in range(3)]
    assert done == []
    assert not requests.is_empty()
    requests.serve(wait=True)
    assert done == [(i, threading.get_ident()) for i in range(3)]
    assert all(future.done() for future in futures)
    assert requests.is_empty()


def test_waiting_ends_when_something_is_asked_or_the_time_is_over() -> None:
    requests = RequestQueue()
    requests.serve(wait=True, at_most=0.01)  # comes back, though nobody asks
    threading.Timer(0.05, requests.wake).start()
    requests.serve(wait=True, at_most=60)
    assert requests.is_empty()


def test_what_an_action_raises_is_its_answer_and_the_next_is_served() -> None:
    requests = RequestQueue()
    failing, good = requests.ask(lambda: 1 / 0), requests.ask(lambda: "good")
    requests.serve(wait=False)
    with pytest.raises(ZeroDivisionError):
        failing.result(timeout=0)
    assert good.result(timeout=0) == "good"


def test_past_its_deadline_a_request_is_not_done_and_says_so() -> None:
    now = [0.0]
    requests, done = RequestQueue(timer=lambda: now[0]), []
    future = requests.ask(lambda: done.append(1))
    now[0] = requests_module.DEADLINE_SECONDS + 1
    requests.serve(wait=False)
    with pytest.raises(TimeoutError, match="in time"):
        future.result(timeout=0)
    assert done == []


def test_a_cancelled_request_is_passed_over() -> None:
    requests, done = RequestQueue(), []
    future = requests.ask(lambda: done.append(1))
    assert future.cancel()
    requests.serve(wait=False)
    assert done == []


def test_fail_all_answers_everything_that_waits() -> None:
    requests = RequestQueue()
    futures = [requests.ask(lambda: None) for _ in range(3)]
    futures[1].cancel()
    requests.fail_all("closing")
    for future in (futures[0], futures[2]):
        with pytest.raises(RuntimeError, match="closing"):
            future.result(timeout=0)


def test_serve_waits_for_the_first_request_when_told_to() -> None:
    requests = RequestQueue()
    thread = threading.Thread(target=requests.serve, args=(True,))
    thread.start()
    future = requests.ask(lambda: 5)
    assert future.result(timeout=10) == 5
    thread.join(timeout=10)
    assert not thread.is_alive()

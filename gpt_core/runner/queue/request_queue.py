"""RequestQueue: requests of other threads to one thread, each answered by a Future."""

import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

DEADLINE_SECONDS = 120.0  # a request that is served later fails with TimeoutError


@dataclass
class _Request:
    action: Callable[[], Any]
    future: Future[Any]
    deadline: float


def done() -> "Future[None]":
    """Return the answer to a request that was served at once."""
    answer: Future[None] = Future()
    answer.set_result(None)
    return answer


class RequestQueue:
    """Any thread asks; one thread serves the requests when it is ready.

    Args:
        timer: a monotonic clock, in seconds.
    """

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._requests: queue.SimpleQueue[_Request] = queue.SimpleQueue()

    def ask(self, action: Callable[[], T]) -> "Future[T]":
        """Queue an action for the serving thread."""
        future: Future[T] = Future()
        self._requests.put(_Request(action, future, self._timer() + DEADLINE_SECONDS))
        return future

    def wake(self) -> None:
        """Wake the serving thread if it is waiting."""
        self.ask(lambda: None)

    def is_empty(self) -> bool:
        """Tell whether no request is pending."""
        return self._requests.empty()

    def serve(self, wait: bool, at_most: float | None = None) -> None:
        """Serve all pending requests in the serving thread; with ``wait``, wait for the first.

        It waits at most ``at_most`` seconds, or without a limit if that is None. An exception of
        an action goes to its Future, never to the serving thread.
        """
        if wait:
            self.serve_next(at_most)
        while not self._requests.empty():
            self.serve_next()

    def serve_next(self, at_most: float | None = None) -> None:
        """Serve the next request; wait for it as :meth:`serve` does."""
        try:
            request = self._requests.get(timeout=at_most)
        except queue.Empty:
            return
        if not request.future.set_running_or_notify_cancel():
            return
        try:
            if self._timer() > request.deadline:
                raise TimeoutError("The request could not be served in time: try again.")
            answer = request.action()
        except Exception as error:
            request.future.set_exception(error)
        else:
            request.future.set_result(answer)

    def fail_all(self, message: str) -> None:
        """Answer all pending requests with a RuntimeError."""
        while not self._requests.empty():
            future = self._requests.get().future
            if future.set_running_or_notify_cancel():
                future.set_exception(RuntimeError(message))

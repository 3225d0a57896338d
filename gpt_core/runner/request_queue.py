"""RequestQueue: things that other threads ask of one thread, each answered through a Future."""

import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

DEADLINE_SECONDS = 120.0  # a request that could not be served by then answers with TimeoutError


@dataclass
class _Request:
    action: Callable[[], Any]
    future: Future[Any]
    deadline: float


def done() -> "Future[None]":
    """Return the answer to something that was done at once."""
    answer: Future[None] = Future()
    answer.set_result(None)
    return answer


class RequestQueue:
    """Any thread asks; the one that owns what is asked about serves when it is ready.

    Args:
        timer: a clock in seconds that never jumps.
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
        """Make the serving thread look around, should it be waiting."""
        self.ask(lambda: None)

    def is_empty(self) -> bool:
        """Tell whether nothing is asked for at the moment."""
        return self._requests.empty()

    def serve(self, wait: bool, at_most: float | None = None) -> None:
        """Do all that is asked for, in the serving thread; ``wait`` until something is.

        It waits ``at_most`` so many seconds, or for as long as it takes.
        What an action raises is its Future's exception, never the serving thread's.
        """
        while wait or not self._requests.empty():
            wait = False
            try:
                request = self._requests.get(timeout=at_most)
            except queue.Empty:
                return
            if not request.future.set_running_or_notify_cancel():
                continue
            try:
                if self._timer() > request.deadline:
                    raise TimeoutError("The request could not be served in time: ask again.")
                answer = request.action()
            except Exception as error:
                request.future.set_exception(error)
            else:
                request.future.set_result(answer)

    def fail_all(self, message: str) -> None:
        """Answer everything still asked for with a RuntimeError."""
        while not self._requests.empty():
            future = self._requests.get().future
            if future.set_running_or_notify_cancel():
                future.set_exception(RuntimeError(message))

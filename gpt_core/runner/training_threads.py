"""TrainingThreads: a training thread for each device."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import filelock

from gpt_core.access import ClassRules
from gpt_core.runner.live_run import LiveRun, LiveRuns
from gpt_core.runner.queue.fair_queue import QueuedRun
from gpt_core.runner.session import Session
from gpt_core.runner.training_thread import TrainingThread
from gpt_core.store import Command, RunStore

T = TypeVar("T")


class TrainingThreads(LiveRuns):
    """One training thread for each device; they share the queue and the live runs.

    Other code uses them through :class:`gpt_core.runner.TrainingRunner`.

    Args:
        store: where everything is recorded.
        active_runs: how many runs each thread trains by turns; the others wait in a queue.
        threads: the number of torch threads of each.
        timer: a monotonic clock, in seconds.
        rules: the rules of a class.
        devices: a device for each thread, such as "cuda:1". The first one also trains the runs of
            any other kind.
    """

    def __init__(
        self,
        store: RunStore,
        active_runs: int,
        threads: int,
        timer: Callable[[], float],
        rules: ClassRules,
        devices: Sequence[str],
    ) -> None:
        super().__init__(rules, devices)
        self._active_runs = active_runs
        self._threads: list[TrainingThread] = []
        for device in devices:
            first = self._threads[0] if self._threads else None
            thread = TrainingThread(store, self, active_runs, threads, timer, device, first)
            self._threads.append(thread)
        for thread in self._threads:
            thread.start()

    @contextmanager
    def admission(self) -> Iterator[None]:
        """Admit one new run at a time: of two equal starts the second finds the first.

        Raises:
            ValueError: the threads are closing.
        """
        with self.lock:
            self.require_running()
            yield

    def admit(self, session: Session, lock: filelock.BaseFileLock) -> None:
        """Queue a run whose lock is held."""
        self.add(LiveRun(session, lock))
        self.wake()

    def request(self, run_id: str, actor: str, command: Command) -> "Future[Any]":
        """Send a request to a live run; it is served between two steps.

        Raises:
            ValueError: the run is not live here, or the threads are closing.
        """
        with self.lock:
            live = self.require_live(run_id)
            # Served by the thread that owns the run by then.
            future = live.requests.ask(
                lambda: self._threads[live.place].obey(run_id, actor, command)
            )
            if command is not Command.SNAPSHOT:  # which changes nothing
                live.expect(command, future)
            self._threads[live.place].wake()
            return future

    def submit(self, action: Callable[[], T]) -> "Future[T]":
        """Run an action in the first thread, between two steps.

        Raises:
            ValueError: the threads are closing.
        """
        with self.lock:
            self.require_running()
            return self._threads[0].ask(action)

    def release(self, run: QueuedRun) -> None:
        """Forget a run of several processes; others may begin on its devices."""
        super().release(run)
        self.wake()

    def wake(self) -> None:
        """Let the first thread check the queue again."""
        self._threads[0].wake()

    def expected_starts(self, seconds: Mapping[str, float]) -> dict[str, float]:
        """Return in how many seconds each waiting run begins, the next one first.

        ``seconds`` gives the remaining seconds of each run, as far as they are known.
        """
        rooms = [self._active_runs] * len(self._threads)
        with self.lock:
            waiting, running = self.all_waiting(), self.all_running()
        return self.queue.expected_starts(waiting, running, rooms, seconds)

    def close(self) -> None:
        """Save the live runs, record them as ``interrupted``, and join the threads."""
        with self.lock:
            self.closing = True
        for thread in self._threads:
            thread.wake()
        for thread in self._threads:
            thread.join()

"""StoredRequests: requests between the processes that share a runs directory."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from gpt_core.store import (
    CheckpointKind,
    Command,
    RunStore,
    StoredRequest,
    find_run,
    mark_interrupted_runs,
)
from gpt_core.system import describe_error

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5  # between two readings of the store
ANSWER_SECONDS = 10.0  # within which a process answers what has ended its run
ENDED = "The run ended before this was done."


@dataclass
class SentRequest:
    """A request of this process to a run of another one, until it is answered."""

    future: "Future[Any]" = field(default_factory=Future)
    ended_at: float | None = None  # when the run was first seen to have ended


class StoredRequests:
    """Serves the requests of other processes to this one's runs, and sends its own to theirs.

    They go through the store. A thread of its own reads them twice a second and hands them to the
    training thread, which serves them between two steps like those of its own process.

    Args:
        store: the store of the runs.
        serve: sends a request to a run of this process; its Future is the answer.
        live_runs: returns the IDs of the runs that are live in this process.
        timer: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        store: RunStore,
        serve: Callable[[str, str, Command], "Future[Any]"],
        live_runs: Callable[[], list[str]],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._serve = serve
        self._live_runs = live_runs
        self._timer = timer
        self._serving: dict[int, Future[Any]] = {}  # requests to this process, until answered
        self._lock = threading.Lock()  # guards _sent
        self._sent: dict[int, SentRequest] = {}
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="stored requests", daemon=True)
        self._thread.start()

    def send(self, run_id: str, actor: str, command: Command) -> "Future[Any]":
        """Send a request to the process that trains a run; the Future is its answer.

        Raises:
            ValueError: there is no such run, no process trains it, or this one is closing.
        """
        if self._closing:
            raise ValueError("The app is closing: start it again first.")
        mark_interrupted_runs(self._store)  # a run whose process has died answers nothing
        run = find_run(self._store, run_id)
        if not run.is_live:
            raise ValueError(f"Run {run_id} is not live but {run.state}: it takes no requests.")
        with self._lock:
            request_id = self._store.ask(run_id, command, actor)
            return self._sent.setdefault(request_id, SentRequest()).future

    def close(self) -> None:
        """Record the last answers and join the thread, after the training thread has ended."""
        self._closing = True
        self._wake.set()
        self._thread.join()
        for sent in self._sent.values():
            sent.future.set_exception(RuntimeError("The app is closing."))
        self._sent.clear()

    def _work(self) -> None:
        is_last = False
        while not is_last:
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()
            is_last = self._closing  # read before the last round
            try:
                self._serve_new()
                self._write_answers()
                self._read_answers()
            except Exception:  # a full disk, or no file handle: the next round tries again
                log.warning("the requests could not be read or answered", exc_info=True)

    def _serve_new(self) -> None:
        """Hand the new requests to this process's runs to the training thread."""
        live = self._live_runs()
        for request in self._store.open_requests() if live else []:
            if request.run_id in live and request.id not in self._serving:
                future = self._serving[request.id] = self._submit(request)
                future.add_done_callback(lambda _: self._wake.set())  # to be answered at once

    def _submit(self, request: StoredRequest) -> "Future[Any]":
        """Send a request to its run; a refusal is an answer, too."""
        try:
            return self._serve(request.run_id, request.actor, request.command)
        except ValueError as error:
            refused: Future[Any] = Future()
            refused.set_exception(error)
            return refused

    def _write_answers(self) -> None:
        """Record the answers of this process; one that cannot be written stays for later."""
        for request_id, future in list(self._serving.items()):
            if future.done():
                error = future.exception()
                self._store.answer(request_id, describe_error(error) if error else "")
                del self._serving[request_id]

    def _read_answers(self) -> None:
        """Complete the requests of this process that were answered, or never will be."""
        with self._lock:
            waiting = dict(self._sent)
        if waiting:
            mark_interrupted_runs(self._store)  # which answers what dead processes were asked
        for request_id, sent in waiting.items():
            request = self._store.request(request_id)
            if request is not None and request.is_open:
                if not self._is_forgotten(sent, request):
                    continue
                self._store.answer(request_id, ENDED)
            with self._lock:
                del self._sent[request_id]
            error = ENDED if request is None or request.is_open else request.error
            if error or request is None:
                sent.future.set_exception(ValueError(error))
            else:
                sent.future.set_result(self._result(request))

    def _is_forgotten(self, sent: SentRequest, request: StoredRequest) -> bool:
        """Tell whether a request's run ended so long ago that no process answers any more."""
        run = self._store.run(request.run_id)
        if run is not None and run.is_live:
            return False
        if sent.ended_at is None:
            sent.ended_at = self._timer()
        return self._timer() - sent.ended_at >= ANSWER_SECONDS

    def _result(self, request: StoredRequest) -> int | None:
        """Return what a served request gives: that to save, the step of the last checkpoint."""
        if request.command is not Command.SAVE:
            return None
        found = self._store.checkpoints(request.run_id)
        steps = [c.global_step for c in found if c.kind is CheckpointKind.WHOLE]
        return max(steps, default=-1)

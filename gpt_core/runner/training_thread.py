"""TrainingThread: the one thread that owns the models in training."""

import gc
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, TypeVar

import filelock
import torch

from gpt_core.access import (
    TEACHER,
    TIME_USED_UP,
    ClassRules,
    require_training_time,
)
from gpt_core.runner.fair_queue import FairQueue, QueuedRun
from gpt_core.runner.live_run import Command, LiveRun
from gpt_core.runner.request_queue import RequestQueue
from gpt_core.runner.session import Session, Snapshot
from gpt_core.store import FinalState, RunSetup, RunState, RunStore
from gpt_core.system import describe_error, return_freed_memory, shorten, start_thread

log = logging.getLogger(__name__)

T = TypeVar("T")

QUIET_SECONDS = 5.0  # before the compiler's import, for a first page to be drawn
TURN_SECONDS = 1.0  # how long a run trains before the next one's turn


@cache
def prepare_optimizers() -> None:
    """Let PyTorch import its compiler, which a process's first optimizer does."""
    torch.optim.AdamW([torch.zeros(1)])
    gc.freeze()  # 100,000 permanent objects, which the garbage collector can skip


class TrainingThread:
    """Trains the live runs by turns, and serves requests between two steps.

    Other code uses it through :class:`gpt_core.runner.TrainingRunner`.

    Args:
        store: where everything is recorded.
        active_runs: how many runs train by turns; the others wait in a queue.
        threads: the number of torch threads.
        timer: a monotonic clock, in seconds.
        rules: the rules of a class.
    """

    def __init__(
        self,
        store: RunStore,
        active_runs: int,
        threads: int,
        timer: Callable[[], float],
        rules: ClassRules,
    ) -> None:
        self._store = store
        self._active_runs = active_runs
        self._threads = threads
        self._timer = timer
        self._lock = threading.RLock()  # guards _live and _closing; allows one admission at a time
        self._live: dict[str, LiveRun] = {}  # in the order of the queue
        self._closing = False
        self.queue = FairQueue()
        self.rules = rules  # replaced as a whole
        self._requests = RequestQueue()
        # A daemon thread that atexit joins: a torch thread that is cut off aborts the process.
        self._thread = start_thread(self._work, name="training")

    # Callable from any thread

    @contextmanager
    def admission(self) -> Iterator[None]:
        """Admit one new run at a time: of two equal starts the second finds the first.

        Raises:
            ValueError: the thread is closing.
        """
        with self._lock:
            self._require_running()
            yield

    def admit(self, session: Session, lock: filelock.BaseFileLock) -> None:
        """Queue a run whose lock is held."""
        with self._lock:
            self._live[session.run.id] = LiveRun(session, lock)
        self._requests.wake()

    def find_equal(self, setup: RunSetup, run_id: str | None) -> str | None:
        """Return the ID of a live run with the same losses that is not paused or stopping.

        ``run_id`` is the ID that the new run is to have, or None for any.
        """
        for live_id, live in self._all_live():
            is_equal = live.session.run.setup == setup and run_id in (None, live_id)
            is_halted = live.state is RunState.PAUSED or live.pending is Command.STOP
            if is_equal and not is_halted:
                return live_id
        return None

    def find(self, run_id: str) -> LiveRun | None:
        """Return a live run of this process, or None if this ID is not live here."""
        return self._live.get(run_id)

    def count_live(self, owner: str) -> int:
        """Return the number of an owner's live runs in this process."""
        return sum(live.session.run.owner == owner for _, live in self._all_live())

    def request(self, run_id: str, actor: str, command: Command) -> "Future[Any]":
        """Send a request to a live run; it is served between two steps.

        Raises:
            ValueError: the run is not live here, or the thread is closing.
        """
        with self._lock:
            live = self.require_live(run_id)
            future = self._requests.ask(partial(self._obey, run_id, actor, command))
            if command is not Command.SNAPSHOT:  # which changes nothing
                live.expect(command, future)
            return future

    def submit(self, action: Callable[[], T]) -> "Future[T]":
        """Run an action in this thread, between two steps.

        Raises:
            ValueError: the thread is closing.
        """
        with self._lock:
            self._require_running()
            return self._requests.ask(action)

    def wake(self) -> None:
        """Let the thread check its queue again."""
        self._requests.wake()

    def require_live(self, run_id: str) -> LiveRun:
        """Return a live run.

        Raises:
            ValueError: the run is not live here, or the thread is closing.
        """
        self._require_running()
        live = self._live.get(run_id)
        if live is None:
            raise ValueError(f"Run {shorten(run_id)} is not live here: it takes no requests.")
        return live

    def expected_starts(self, seconds: Mapping[str, float]) -> dict[str, float]:
        """Return in how many seconds each waiting run begins, the next one first.

        ``seconds`` gives the remaining seconds of each run, as far as they are known.
        """
        running, waiting = self._in_state(RunState.RUNNING), self._in_state(RunState.QUEUED)
        return self.queue.expected_starts(waiting, running, self._active_runs, seconds)

    def close(self) -> None:
        """Save the live runs, record them as ``interrupted``, and join the thread."""
        with self._lock:
            self._closing = True
        self._requests.wake()
        self._thread.join()

    def _all_live(self) -> list[tuple[str, LiveRun]]:
        with self._lock:
            return list(self._live.items())

    def _in_state(self, state: RunState) -> list[QueuedRun]:
        """Return the live runs in a state, in the order of the queue."""
        return [
            QueuedRun(run_id, live.session.run.owner)
            for run_id, live in self._all_live()
            if live.state is state
        ]

    def _require_running(self) -> None:
        if self._closing:
            raise ValueError("The app is closing: start it again first.")

    # Only in the training thread

    def _work(self) -> None:
        torch.set_num_threads(self._threads)  # applies only to the calling thread
        self._requests.serve(wait=True, at_most=QUIET_SECONDS)
        if not self._closing:
            prepare_optimizers()
        while not self._closing:
            running = self._activate()
            if not running:
                return_freed_memory()
            self._requests.serve(wait=not running)
            for run_id in running:
                self._take_turn(run_id)
        self._close_sessions()

    def _activate(self) -> list[str]:
        """Let waiting runs begin while there is room; return the IDs of the running runs."""
        running, waiting = self._in_state(RunState.RUNNING), self._in_state(RunState.QUEUED)
        while len(running) < self._active_runs:
            run = self.queue.take(waiting, [other.owner for other in running])
            if run is None:
                break
            waiting.remove(run)
            begin = partial(self._set_state, run.run_id, RunState.RUNNING, run.owner)
            if self._guard(run.run_id, begin):
                running.append(run)
        return [run.run_id for run in running]

    def _take_turn(self, run_id: str) -> None:
        """Train one run for a turn, which ends between two steps."""
        live = self._live.get(run_id)
        if live is not None and live.state is RunState.RUNNING and not self._closing:
            self._guard(run_id, partial(self._advance, run_id, live))

    def _advance(self, run_id: str, live: LiveRun) -> None:
        if live.time_is_up(self._store, self.rules):
            self._stop(run_id, TEACHER, TIME_USED_UP)
            return
        session = live.session
        turn_ends = self._timer() + TURN_SECONDS
        session.enter()
        while session.advance():
            if session.message != live.told:
                live.told = session.message
                self._store.set_state(run_id, RunState.RUNNING, session.run.owner, live.told)
            if session.between_steps and (
                self._closing or not self._requests.is_empty() or self._timer() >= turn_ends
            ):
                session.leave()
                return
        self._finish(run_id, session.run.owner)

    def _obey(self, run_id: str, actor: str, command: Command) -> Any:
        """Serve a request to a run and return the answer."""
        match command:
            case Command.PAUSE:
                return self._pause(run_id, actor)
            case Command.RESUME:
                return self._unpause(run_id, actor)
            case Command.STOP:
                return self._stop(run_id, actor)
            case Command.STEP:
                return self._step(run_id, actor)
            case Command.SAVE:
                return self._in_turn(run_id, Session.checkpoint)
            case Command.SNAPSHOT:
                return self._snapshot(run_id)

    def _pause(self, run_id: str, actor: str) -> None:
        """Pause a run, with a checkpoint."""
        live = self._get(run_id)
        if live.state is RunState.RUNNING:
            self._in_turn(run_id, Session.checkpoint)
        if live.state is not RunState.PAUSED:
            self._set_state(run_id, RunState.PAUSED, actor)
            live.session.unload()

    def _unpause(self, run_id: str, actor: str) -> None:
        """Queue a paused run again."""
        if self._get(run_id).state is RunState.PAUSED:
            self._set_state(run_id, RunState.QUEUED, actor)

    def _step(self, run_id: str, actor: str) -> None:
        """Run a single step of a paused run.

        Raises:
            ValueError: the run is not paused, or its owner has no minutes left.
        """
        live = self._get(run_id)
        if live.state is not RunState.PAUSED:
            raise ValueError("Only a paused run can do a single step: pause it first.")
        require_training_time(self._store, self.rules, live.session.run.owner)
        for _, other in self._all_live():
            other.limit = None  # a run of theirs that trains meanwhile has less left
        self._guard(run_id, partial(self._step_and_inspect, run_id, actor))

    def _step_and_inspect(self, run_id: str, actor: str) -> None:
        if self._in_turn(run_id, Session.step_and_inspect):
            self._set_state(run_id, RunState.PAUSED, actor)
        else:
            self._finish(run_id, actor)

    def _finish(self, run_id: str, actor: str) -> None:
        """End a run after its last step; if its weights cannot be saved now, at its next turn."""
        session = self._get(run_id).session
        if session.save_last_weights():
            self._end(run_id, RunState.FINISHED, actor, session.message)

    def _stop(self, run_id: str, actor: str, message: str = "") -> None:
        """End a run with a checkpoint, and record the message, if any."""
        message = f"{message} {self._save(run_id, self._get(run_id))}".strip()
        self._end(run_id, RunState.STOPPED, actor, message)

    def _snapshot(self, run_id: str) -> Snapshot:
        """Copy a run's model, once per step while the copy is in use."""
        return self._get(run_id).session.last_snapshot() or self._in_turn(run_id, Session.snapshot)

    def _save(self, run_id: str, live: LiveRun) -> str:
        """Save a run that is about to end; return a message if that fails, else ""."""
        try:
            if live.session.is_open:
                self._in_turn(run_id, Session.checkpoint)
        except Exception as error:
            log.exception("run %s could not be saved", run_id)
            return f"Its last steps are not in a checkpoint. {describe_error(error)}"
        return ""

    def _in_turn(self, run_id: str, action: Callable[[Session], T]) -> T:
        """Run an action on a run's session during a turn of its own.

        A model that was not in memory is unloaded afterwards, unless its state is not saved.
        """
        session = self._get(run_id).session
        was_open = session.is_open
        session.enter()
        try:
            return action(session)
        finally:
            session.leave()
            if not was_open:
                session.unload()

    def _get(self, run_id: str) -> LiveRun:
        if run_id not in self._live:
            raise ValueError(f"Run {run_id} has ended meanwhile.")
        return self._live[run_id]

    def _set_state(self, run_id: str, state: RunState, actor: str) -> None:
        """Record a run's new state."""
        live = self._get(run_id)
        self._store.set_state(run_id, state, actor)
        live.state = state

    def _guard(self, run_id: str, action: Callable[[], None]) -> bool:
        """Run an action on a run; an error ends this run with a message, never the thread."""
        try:
            action()
        except Exception as error:
            log.exception("run %s failed", run_id)
            self._fail(run_id, describe_error(error))
            return False
        return True

    def _fail(self, run_id: str, message: str) -> None:
        live = self._live.get(run_id)
        if live is not None:
            try:
                live.session.flush()
            except Exception:
                log.exception("the last records of run %s could not be written", run_id)
            self._end(run_id, RunState.FAILED, live.session.run.owner, message)

    def _end(self, run_id: str, state: RunState, actor: str, message: str = "") -> None:
        """Record how a run ended, then release it."""
        live = self._get(run_id)
        is_written = True
        try:
            self._store.set_state(run_id, state, actor, message)
            if state is RunState.FINISHED:  # until that is on record, it may have to be resumed
                self._remove_optimizer(live.session)
        except Exception:  # a full or read-only disk
            log.exception("the end of run %s could not be written", run_id)
            is_written = False
        with self._lock:
            del self._live[run_id]
        live.lock.release()
        if not is_written:  # after the release: a locked run is live (mark_interrupted_runs)
            self._store.keep_final_state(run_id, FinalState(state, actor, message))
        live.ended.set()

    def _remove_optimizer(self, session: Session) -> None:
        """Remove what only a resumed run would need; what stays takes only disk space."""
        try:
            session.remove_optimizer()
        except Exception:  # a full or read-only disk
            log.exception("the optimizer of run %s could not be removed", session.run.id)

    def _close_sessions(self) -> None:
        """Save the models in memory, end the runs as interrupted, and fail pending requests."""
        for run_id, live in self._all_live():
            message = f"The app was closed. {self._save(run_id, live)}".strip()
            self._end(run_id, RunState.INTERRUPTED, live.session.run.owner, message)
        self._requests.fail_all("The app is closing.")

"""TrainingThread: the one thread that owns the models in training on a device."""

import gc
import logging
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache, partial
from typing import Any, TypeVar

import torch

from gpt_core.access import (
    TEACHER,
    TIME_USED_UP,
    require_training_time,
)
from gpt_core.runner.live_run import LiveRun, LiveRuns
from gpt_core.runner.queue.fair_queue import QueuedRun
from gpt_core.runner.queue.request_queue import RequestQueue
from gpt_core.runner.session import Session, Snapshot
from gpt_core.store import Command, FinalState, RunState, RunStore
from gpt_core.system import describe_error, return_freed_memory, start_thread

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
    """Trains runs by turns on one device, and serves the requests to them between two steps.

    The first of several threads owns the runs that wait or are paused. It gives each to a free
    thread when it begins; this one gives it back when it pauses. So a run has one owner at any
    time, and only its owner touches its session.

    Args:
        store: where everything is recorded.
        runs: the live runs, which all threads share.
        active_runs: how many runs train by turns on this device; the others wait in a queue.
        threads: the number of torch threads.
        timer: a monotonic clock, in seconds.
        device: the device, such as "cuda:1".
        first: the first thread; None if this is the first.
    """

    def __init__(
        self,
        store: RunStore,
        runs: LiveRuns,
        active_runs: int,
        threads: int,
        timer: Callable[[], float],
        device: str,
        first: "TrainingThread | None" = None,
    ) -> None:
        self.device = torch.device(device)
        self._store = store
        self._runs = runs
        self._active_runs = active_runs
        self._threads = threads
        self._timer = timer
        self._first = self if first is None else first
        # The threads on which this one lets waiting runs begin.
        self._destinations = [self]
        if first is not None:
            first._destinations.append(self)
        self.place = len(self._first._destinations) - 1
        self._requests = RequestQueue()  # to the thread itself; those to a run are with the run

    # Callable from any thread

    def start(self) -> None:
        """Start the thread."""
        # A daemon thread that atexit joins: a torch thread that is cut off aborts the process.
        self._thread = start_thread(self._work, name="training")

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def ask(self, action: Callable[[], T]) -> "Future[T]":
        """Run an action in this thread, between two steps."""
        return self._requests.ask(action)

    def wake(self) -> None:
        """Let the thread check its runs and their requests again."""
        self._requests.wake()

    def accepts(self, run_id: str) -> bool:
        """Tell whether a run has the TF32 of those that train on the other devices.

        It is one switch of the whole process.
        """
        live = self._runs.find(run_id)
        if live is None:
            return False
        others = [
            other.session.run.training_config.tf32
            for _, other in self._runs.all_live()
            if other.state is RunState.RUNNING and other.place != self.place
        ]
        return all(tf32 == live.session.run.training_config.tf32 for tf32 in others)

    # Only in this thread

    def _work(self) -> None:
        torch.set_num_threads(self._threads)  # applies only to the calling thread
        if self is self._first:
            self._requests.serve(wait=True, at_most=QUIET_SECONDS)
            if not self._runs.closing:
                prepare_optimizers()
        while not self._runs.closing:
            self._begin_waiting()
            running = [run.run_id for run in self._running()]
            if not running:
                return_freed_memory()
            self._serve(wait=not running)
            for run_id in running:
                self._take_turn(run_id)
        self._close_sessions()

    def _serve(self, wait: bool) -> None:
        """Serve the requests to the thread and to its runs."""
        self._requests.serve(wait)
        for _, live in self._runs.of_thread(self.place):
            while live.place == self.place and not live.requests.is_empty():
                live.requests.serve_next()

    def _running(self) -> list[QueuedRun]:
        return self._runs.in_state(RunState.RUNNING, self.place)

    def _begin_waiting(self) -> None:
        """Let waiting runs begin while there is room: the first thread on all devices."""
        threads = self._destinations
        while not self._runs.closing:
            running = {thread: len(thread._running()) for thread in threads}
            for thread in sorted(threads, key=running.__getitem__):  # the emptiest first
                if running[thread] < self._active_runs and self._begin_next(thread):
                    break
            else:
                return

    def _begin_next(self, thread: "TrainingThread") -> bool:
        """Let the next run that this thread owns begin on a thread; return False if there is none.

        A run that cannot begin fails.
        """
        own = {run.run_id for run in self._runs.in_state(RunState.QUEUED, self.place)}
        allowed = self._runs.allowed_at(thread.place)
        fitting = [run for run in allowed if run.run_id in own and thread.accepts(run.run_id)]
        owners = [run.owner for run in self._runs.in_state(RunState.RUNNING)]
        run = self._runs.queue.take(fitting, owners)
        if run is not None:
            self._guard(run.run_id, partial(self._begin, run, thread))
        return run is not None

    def _begin(self, run: QueuedRun, thread: "TrainingThread") -> None:
        live = self._get(run.run_id)
        if thread is not self and live.session.is_open:  # after a single step: it moves as a file
            self._in_turn(run.run_id, Session.checkpoint)
            live.session.unload()
        with self._runs.lock:  # for others it still waits, or it trains on its device
            self._set_state(run.run_id, RunState.RUNNING, run.owner)
            self._give(live, thread)

    def _give(self, live: LiveRun, thread: "TrainingThread") -> None:
        """Let a thread own a run; this one does not touch it again."""
        with self._runs.lock:
            if thread is not self and not self._runs.closing:
                live.place = thread.place
                thread.wake()

    def _take_turn(self, run_id: str) -> None:
        """Train one run for a turn, which ends between two steps."""
        live = self._runs.find(run_id)
        if live is None or self._runs.closing:
            return
        if live.place == self.place and live.state is RunState.RUNNING:
            self._guard(run_id, partial(self._advance, run_id, live))

    def _advance(self, run_id: str, live: LiveRun) -> None:
        if live.time_is_up(self._store, self._runs.rules):
            self._stop(run_id, TEACHER, TIME_USED_UP)
            return
        session = live.session
        turn_ends = self._timer() + TURN_SECONDS
        self._enter(session)
        while session.advance():
            if session.message != live.told:
                live.told = session.message
                self._store.set_state(run_id, RunState.RUNNING, session.run.owner, live.told)
            if session.between_steps and (
                self._runs.closing or not self._requests.is_empty() or self._timer() >= turn_ends
            ):
                session.leave()
                return
        self._finish(run_id, session.run.owner)

    def obey(self, run_id: str, actor: str, command: Command) -> Any:
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
            if not live.session.is_open:
                self._give(live, self._first)

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
        require_training_time(self._store, self._runs.rules, live.session.run.owner)
        for _, other in self._runs.all_live():
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
        self._enter(session)
        try:
            return action(session)
        finally:
            session.leave()
            if not was_open:
                session.unload()

    def _enter(self, session: Session) -> None:
        """Begin a session's turn on this thread's GPU, if there are several."""
        if self.device.index is not None and self.device.type == "cuda":
            torch.cuda.set_device(self.device)  # of this thread: "cuda" is this one from now on
        session.enter()

    def _get(self, run_id: str) -> LiveRun:
        live = self._runs.find(run_id)
        if live is None:
            raise ValueError(f"Run {run_id} has ended meanwhile.")
        return live

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
        live = self._runs.find(run_id)
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
        self._runs.remove(run_id)
        live.lock.release()
        if not is_written:  # after the release: a locked run is live (mark_interrupted_runs)
            self._store.keep_final_state(run_id, FinalState(state, actor, message))
        live.ended.set()
        live.requests.serve(wait=False)  # each learns that the run has ended
        self._first.wake()  # a device is free

    def _remove_optimizer(self, session: Session) -> None:
        """Remove what only a resumed run would need; what stays takes only disk space."""
        try:
            session.remove_optimizer()
        except Exception:  # a full or read-only disk
            log.exception("the optimizer of run %s could not be removed", session.run.id)

    def _close_sessions(self) -> None:
        """Save the models in memory, end the runs as interrupted, and fail pending requests."""
        for run_id, live in self._runs.of_thread(self.place):
            live.requests.fail_all("The app is closing.")
            message = f"The app was closed. {self._save(run_id, live)}".strip()
            self._end(run_id, RunState.INTERRUPTED, live.session.run.owner, message)
        self._requests.fail_all("The app is closing.")

"""OwnerThread: the one thread that owns the models that train, and what it does with them."""

import gc
import logging
import threading
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TypeVar

import torch

from gpt_core.access import TEACHER, ClassRules, is_student, require_training_time, seconds_left
from gpt_core.runner.fair_queue import FairQueue, QueuedRun
from gpt_core.runner.live_run import LiveRun
from gpt_core.runner.request_queue import RequestQueue
from gpt_core.runner.session import Session, Snapshot
from gpt_core.store import RunStore
from gpt_core.system import describe_error, return_freed_memory, start_thread

log = logging.getLogger(__name__)

T = TypeVar("T")

QUIET_SECONDS = 5.0  # until something is prepared that nobody asked for: a first page is drawn
TURN_SECONDS = 1.0  # how long a run trains before the next one's turn


@cache
def prepare_optimizers() -> None:
    """Let PyTorch import its compiler, as it does with a process's first optimizer."""
    torch.optim.AdamW([torch.zeros(1)])
    gc.freeze()  # 100,000 objects for good, which the garbage collector need not go through


class OwnerThread:
    """Trains the live runs by turns, and between two steps does what it is asked for.

    :class:`gpt_core.runner.training_runner.TrainingRunner` is how others speak to it.

    Args:
        store: where everything is written down.
        active_runs: how many runs advance by turns; the others wait in a queue.
        threads: how many threads torch computes with.
        timer: a clock in seconds that never jumps.
        rules: of a class.
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
        # Guards entries and closing, and that of two equal starts the second finds the first.
        self.lock = threading.RLock()
        self.entries: dict[str, LiveRun] = {}  # the live runs, in the order of the queue
        self.closing = False
        self.queue = FairQueue()
        self.requests = RequestQueue()
        self.rules = rules  # replaced as a whole
        # A daemon thread. atexit joins it, since a torch thread that is cut off in the middle
        # aborts the process.
        self._thread = start_thread(self._work, name="training")

    # What anybody may call, from any thread

    def live(self) -> list[tuple[str, LiveRun]]:
        """Return the live runs of this process, in the order of the queue."""
        with self.lock:
            return list(self.entries.items())

    def expected_starts(self, seconds: Mapping[str, float]) -> dict[str, float]:
        """Return in how many seconds each waiting run begins, in the order in which they will.

        ``seconds`` says how long each run still takes, as far as it is known.
        """
        running, waiting = self._by_state("running"), self._by_state("queued")
        return self.queue.expected_starts(waiting, running, self._active_runs, seconds)

    def close(self) -> None:
        """Save what trains or is paused, as ``interrupted``, and join the thread."""
        with self.lock:
            self.closing = True
        self.requests.wake()
        self._thread.join()

    # What it does itself: nobody else calls these, but by a request

    def _work(self) -> None:
        torch.set_num_threads(self._threads)  # it counts in the thread that calls it, only there
        self.requests.serve(wait=True, at_most=QUIET_SECONDS)
        if not self.closing:
            prepare_optimizers()
        while not self.closing:
            running = self._activate()
            if not running:
                return_freed_memory()
            self.requests.serve(wait=not running)
            for run_id in running:
                self._take_turn(run_id)
        self._close_sessions()

    def _activate(self) -> list[str]:
        """Move runs from the queue to the free places; return those that are running."""
        running, waiting = self._by_state("running"), self._by_state("queued")
        while len(running) < self._active_runs:
            run = self.queue.take(waiting, [other.owner for other in running])
            if run is None:
                break
            waiting.remove(run)
            if self._guard(run.run_id, partial(self._set_state, run.run_id, "running")):
                running.append(run)
        return [run.run_id for run in running]

    def _by_state(self, state: str) -> list[QueuedRun]:
        """Return the live runs that are in a state, in the order of the queue."""
        return [
            QueuedRun(run_id, entry.session.run.owner)
            for run_id, entry in self.live()
            if entry.state == state
        ]

    def _take_turn(self, run_id: str) -> None:
        """Train one run for a turn, up to a point between two steps."""
        entry = self.entries.get(run_id)
        if entry is not None and entry.state == "running" and not self.closing:
            self._guard(run_id, partial(self._advance, run_id, entry))

    def _time_is_up(self, entry: LiveRun) -> bool:
        """Tell whether a student's runs have trained for as long as the teacher allows."""
        rules, run = self.rules, entry.session.run
        if rules.most_minutes is None or not is_student(run.owner):
            return False
        if entry.limit is None or entry.limit[0] is not rules:  # their other runs stand still
            entry.limit = (rules, seconds_left(self._store, rules, run.owner, leave_out=run.id))
        return entry.session.seconds >= entry.limit[1]

    def _advance(self, run_id: str, entry: LiveRun) -> None:
        if self._time_is_up(entry):
            self.stop(run_id, TEACHER, "The minutes that each student has are used up.")
            return
        session = entry.session
        turn_ends = self._timer() + TURN_SECONDS
        session.enter()
        while session.advance():
            if session.mismatch and not self.entries[run_id].reported:
                self.entries[run_id].reported = True
                self._store.set_state(run_id, "running", session.run.owner, session.mismatch)
            if session.between_steps and (
                self.closing or not self.requests.is_empty() or self._timer() >= turn_ends
            ):
                session.leave()
                return
        session.checkpoint()
        self._end(run_id, "finished", session.run.owner, session.mismatch)

    def pause(self, run_id: str, actor: str) -> None:
        """Halt a run, with a checkpoint."""
        entry = self._get(run_id)
        if entry.state == "running":
            self.in_turn(run_id, Session.checkpoint)
        if entry.state != "paused":
            self._set_state(run_id, "paused", actor)
            entry.session.unload()

    def unpause(self, run_id: str, actor: str) -> None:
        """Put a paused run into the queue again."""
        entry = self._get(run_id)
        if entry.state == "paused":
            self._set_state(run_id, "queued", actor)

    def step(self, run_id: str, actor: str) -> None:
        """Run a single update of a paused run.

        Raises:
            ValueError: it is not paused, or its owner has no minutes left.
        """
        entry = self._get(run_id)
        if entry.state != "paused":
            raise ValueError("One step is for a run that is paused: pause it first.")
        require_training_time(self._store, self.rules, entry.session.run.owner)
        for _, other in self.live():
            other.limit = None  # one that trains meanwhile has less left
        self._guard(run_id, partial(self._step_and_inspect, run_id, actor))

    def _step_and_inspect(self, run_id: str, actor: str) -> None:
        if self.in_turn(run_id, Session.step_and_inspect):
            self._set_state(run_id, "paused", actor)
        else:
            self.in_turn(run_id, Session.checkpoint)
            self._end(run_id, "finished", actor, self._get(run_id).session.mismatch)

    def stop(self, run_id: str, actor: str, message: str = "") -> None:
        """End a run with a checkpoint, and say why, if there is something to say."""
        entry = self._get(run_id)
        self._end(run_id, "stopped", actor, f"{message} {self._save(run_id, entry)}".strip())

    def _save(self, run_id: str, entry: LiveRun) -> str:
        """Save a run that is about to end; where that fails, return what to say about it."""
        try:
            if entry.session.is_open:
                self.in_turn(run_id, Session.checkpoint)
        except Exception as error:
            log.exception("run %s could not be saved", run_id)
            return f"Its last steps are not in a checkpoint. {describe_error(error)}"
        return ""

    def snapshot(self, run_id: str) -> Snapshot:
        """Copy a run's model, once per step as long as somebody keeps the copy."""
        return self._get(run_id).session.last_snapshot() or self.in_turn(run_id, Session.snapshot)

    def in_turn(self, run_id: str, action: Callable[[Session], T]) -> T:
        """Do something with a run's session while the global random generator is this run's.

        What was at rest is so again afterwards, unless there is something new to be saved.
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
        if run_id not in self.entries:
            raise ValueError(f"Run {run_id} has ended meanwhile.")
        return self.entries[run_id]

    def _set_state(self, run_id: str, state: str, actor: str | None = None) -> None:
        entry = self._get(run_id)
        self._store.set_state(run_id, state, actor or entry.session.run.owner)
        entry.state = state

    def _guard(self, run_id: str, action: Callable[[], None]) -> bool:
        """Do something with a run; what goes wrong ends this run in words, never the thread."""
        try:
            action()
        except Exception as error:
            log.exception("run %s failed", run_id)
            self._fail(run_id, describe_error(error))
            return False
        return True

    def _fail(self, run_id: str, message: str) -> None:
        entry = self.entries.get(run_id)
        if entry is not None:
            try:
                entry.session.flush()
            except Exception:
                log.exception("the last records of run %s could not be written", run_id)
            self._end(run_id, "failed", entry.session.run.owner, message)

    def _end(self, run_id: str, state: str, actor: str, message: str = "") -> None:
        """Write down how a run ended, then let it go."""
        entry = self._get(run_id)
        is_written = True
        try:
            self._store.set_state(run_id, state, actor, message)
        except Exception:  # a full disk, or one that can only be read
            log.exception("the end of run %s could not be written", run_id)
            is_written = False
        with self.lock:
            del self.entries[run_id]
        entry.lock.release()
        if not is_written:  # after that: what is locked counts as live (mark_interrupted_runs)
            self._store.keep_final_state(run_id, state, actor, message)
        entry.ended.set()

    def _close_sessions(self) -> None:
        """Save what is in memory, end it as interrupted, and fail what is still asked for."""
        for run_id, entry in self.live():
            message = f"The app was closed. {self._save(run_id, entry)}".strip()
            self._end(run_id, "interrupted", entry.session.run.owner, message)
        self.requests.fail_all("The app is closing.")

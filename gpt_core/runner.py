"""TrainingRunner: the one thread that owns the models that train.

Pages and the terminal ask it to start, pause, resume, stop, save and copy; what happens they
read from the store. Nobody else touches such a model, or draws from torch's global random
generator.
"""

import atexit
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

import filelock
import torch

from gpt_core import catalogue, locks
from gpt_core.config import Preset, TrainingConfig
from gpt_core.corpus import Corpus
from gpt_core.initial import InitialWeights
from gpt_core.live_run import LiveRun
from gpt_core.machine import describe_change, describe_error, describe_machine
from gpt_core.memory import keep_freed_memory, return_freed_memory, start_thread
from gpt_core.new_run import prepare_run
from gpt_core.precision import check_device
from gpt_core.queueing import Waiting, next_run
from gpt_core.requests import RequestQueue, done
from gpt_core.rights import LOCAL, find_own_run
from gpt_core.run import Run
from gpt_core.session import Session, Snapshot
from gpt_core.store import RunStore
from gpt_core.token_cache import token_cache_in
from gpt_core.tokenizer import get_tokenizer
from gpt_core.training import TrainingData, prepare_data

log = logging.getLogger(__name__)

T = TypeVar("T")

VERBS = {"pausing": "pause", "resuming": "resume", "stopping": "stop", "stepping": "step"}
TURN_SECONDS = 1.0  # how long a run trains before the next one's turn


class TrainingRunner:
    """Trains runs in a thread of its own, by turns, and writes down what happens.

    Opening a runner also tidies up: runs recorded as live whose process is gone (nobody
    holds their lock) become ``interrupted``; :meth:`resume` takes them up again.

    Args:
        store: where everything is written down.
        active_runs: how many runs advance by turns; the others wait in a queue.
        threads: how many threads torch computes with; None is torch's own choice.
        timer: a clock in seconds that never jumps.
    """

    def __init__(
        self,
        store: RunStore,
        active_runs: int = 1,
        threads: int | None = None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._store = store
        self._active_runs = active_runs
        self._threads = torch.get_num_threads() if threads is None else threads
        if self._threads < 1 or active_runs < 1:
            raise ValueError(f"threads={threads}, active_runs={active_runs}: choose 1 or more.")
        self._timer = timer
        self._cache = token_cache_in(store.runs_dir)
        # Guards _entries and _closing, and that of two equal starts the second finds the first.
        self._starting = threading.RLock()
        self._entries: dict[str, LiveRun] = {}  # the live runs, in the order of the queue
        self._closing = False
        self._served: list[str] = []  # owners by their last turn: the owner thread's
        self._requests = RequestQueue()
        catalogue.tidy_up(store)
        keep_freed_memory()
        # A daemon thread. atexit joins it, since a torch thread that is cut off in the middle
        # aborts the process.
        self._thread = start_thread(self._work, name="training")
        atexit.register(self.close)

    # What anybody may call, from any thread

    def start(
        self,
        preset: Preset,
        corpus: Corpus,
        training_config: TrainingConfig | None = None,
        actor: str = "local",
        run_id: str | None = None,
        initial: InitialWeights | None = None,
    ) -> str:
        """Queue a run and return its ID; it trains on after this call has returned.

        With the same seed, text and settings a run gives the same losses: where the actor has
        an equal one live already (a double click), that one's ID is returned.

        Args:
            preset: the model, and how it is trained.
            corpus: the text.
            training_config: trains in another way than the preset says.
            actor: who asks, and owns the run from now on.
            run_id: its name; None makes one up.
            initial: weights to begin with, which are copied; None draws them at random.

        Raises:
            ValueError: the text is too short, the device is not there, the name is taken, or the
                weights are of another model.
        """
        new = prepare_run(preset, corpus, training_config, actor, initial, self._cache)
        with self._starting:
            self._refuse_if_closing()
            for live_id, entry in self._entries.items():
                is_equal = entry.session.run.setup == new.setup and run_id in (None, live_id)
                if is_equal and entry.state != "paused" and entry.asked != "stopping":
                    return live_id
            run_id = locks.find_run_id(self._store, run_id, preset.name)
            with locks.hold_run(self._store, run_id, "started") as lock:
                new.write_down(self._store, run_id, self._threads)
                self._enqueue(locks.find_run(self._store, run_id), new.data, lock)
            return run_id

    def pause(self, run_id: str, actor: str = "local") -> "Future[None]":
        """Halt a run after its present step, with a checkpoint; others have their turn."""
        return self._ask("pausing", run_id, partial(self._pause, run_id, actor), actor)

    def resume(self, run_id: str, actor: str = "local") -> "Future[None]":
        """Let a run go on: a paused one, or one that was stopped, interrupted or failed.

        Raises:
            ValueError: there is no such run, it has finished, it is live in another process, or
                its text is gone.
        """
        if self.owns(run_id):
            return self._ask("resuming", run_id, partial(self._unpause, run_id, actor), actor)
        self._reopen(run_id, actor)
        return done()

    def stop(self, run_id: str, actor: str = "local") -> "Future[None]":
        """End a run after its present step, with a checkpoint from which it can be resumed."""
        return self._ask("stopping", run_id, partial(self._stop, run_id, actor), actor)

    def step(self, run_id: str, actor: str = "local") -> "Future[None]":
        """Run a single update of a paused run, and write down closely what it did."""
        return self._ask("stepping", run_id, partial(self._step, run_id, actor), actor)

    def checkpoint(self, run_id: str) -> "Future[int]":
        """Save a whole checkpoint between two steps; answers with the step it is of."""
        return self._ask("saving", run_id, partial(self._in_turn, run_id, Session.checkpoint))

    def snapshot(self, run_id: str) -> "Future[Snapshot]":
        """Copy a run's model between two steps, for looking at it."""
        return self._ask("", run_id, partial(self._in_turn, run_id, Session.snapshot))

    def lend(self, action: Callable[[], T]) -> "Future[T]":
        """Do something in the owner thread, between two steps of what trains there."""
        with self._starting:
            self._refuse_if_closing()
            return self._requests.ask(action)

    def live_runs(self) -> list[Run]:
        """Return the live runs of every process, the oldest first.

        A run whose process is gone is recorded as interrupted first, so that no page goes on
        showing it as running.
        """
        locks.mark_interrupted_runs(self._store)
        return self._store.live_runs()

    def pending(self, run_id: str) -> str:
        """Return what was asked of a run and is still to be done ("stopping"), or ""."""
        entry = self._entries.get(run_id)
        return entry.asked if entry else ""

    def complaint(self, run_id: str) -> str:
        """Return, in words, why the last thing asked of a live run could not be done, or ""."""
        entry = self._entries.get(run_id)
        return entry.complaint if entry else ""

    def owns(self, run_id: str) -> bool:
        """Tell whether a run is live in this process, so that it can be asked here."""
        return run_id in self._entries

    def wait(self, run_id: str, timeout: float | None = None) -> bool:
        """Wait until a run of this process has ended; False if the timeout came first."""
        entry = self._entries.get(run_id)
        return entry is None or entry.ended.wait(timeout)

    def close(self) -> None:
        """Save what trains or is paused, as ``interrupted``, and join the thread."""
        with self._starting:
            self._closing = True
        self._requests.wake()
        self._thread.join()
        atexit.unregister(self.close)

    # Starting and asking, in the caller's thread

    def _enqueue(self, run: Run, data: TrainingData, lock: filelock.BaseFileLock) -> None:
        self._entries[run.id] = LiveRun(Session(self._store, run, data, self._timer), lock)
        self._requests.wake()

    def _reopen(self, run_id: str, actor: str) -> None:
        """Queue a run again that has ended before its last step."""
        run = locks.find_unfinished_run(self._store, run_id)
        find_own_run(self._store, run_id, actor, "resume")
        check_device(run.training_config.device)
        text, config = self._store.text(run.text_sha256), run.training_config
        data = prepare_data(text, get_tokenizer(), run.model_config, config, self._cache)
        with self._starting:
            self._refuse_if_closing()
            if self.owns(run_id):
                return  # somebody else was quicker
            with locks.hold_run(self._store, run_id, "resumed") as lock:
                locks.find_unfinished_run(self._store, run_id)  # another was quicker?
                change = describe_change(run.versions, describe_machine(self._threads))
                self._store.set_state(run_id, "queued", actor, change)
                self._enqueue(locks.find_run(self._store, run_id), data, lock)

    def _ask(
        self, doing: str, run_id: str, action: Callable[[], T], actor: str = LOCAL
    ) -> "Future[T]":
        """Hand something to the owner thread; it is done between two steps."""
        with self._starting:
            self._refuse_if_closing()
            entry = self._entries.get(run_id)
            if entry is None:
                raise ValueError(f"Run {run_id} is not live here: nothing can be asked of it.")
            find_own_run(self._store, run_id, actor, VERBS.get(doing, "look into"))
            future = self._requests.ask(action)
            if doing:
                entry.asked = doing
                future.add_done_callback(partial(entry.answered, doing))
            return future

    def _refuse_if_closing(self) -> None:
        if self._closing:
            raise ValueError("The app is closing: start it again first.")

    # The owner thread

    def _work(self) -> None:
        torch.set_num_threads(self._threads)  # it counts in the thread that calls it, only there
        # The first optimizer makes PyTorch import its compiler: now, while nobody waits for it.
        torch.optim.AdamW([torch.zeros(1)])
        while not self._closing:
            running = self._activate()
            if not running:
                return_freed_memory()
            self._requests.serve(wait=not running)
            for run_id in running:
                self._take_turn(run_id)
        self._close_sessions()

    def _activate(self) -> list[str]:
        """Move runs from the queue to the free places; return those that are running."""
        live = [(run_id, e.session.run.owner, e.state) for run_id, e in self._live()]
        running = {run_id: owner for run_id, owner, state in live if state == "running"}
        waiting = [Waiting(run_id, owner) for run_id, owner, state in live if state == "queued"]
        while len(running) < self._active_runs:
            run = next_run(waiting, running.values(), self._served)
            if run is None:
                break
            waiting.remove(run)
            if self._guard(run.run_id, partial(self._set_state, run.run_id, "running")):
                running[run.run_id] = run.owner
                self._served = [*(o for o in self._served if o != run.owner), run.owner]
        return list(running)

    def _take_turn(self, run_id: str) -> None:
        """Train one run for a turn, up to a point between two steps."""
        entry = self._entries.get(run_id)
        if entry is not None and entry.state == "running" and not self._closing:
            self._guard(run_id, partial(self._advance, run_id, entry.session))

    def _advance(self, run_id: str, session: Session) -> None:
        turn_ends = self._timer() + TURN_SECONDS
        session.enter()
        while session.advance():
            if session.mismatch and not self._entries[run_id].reported:
                self._entries[run_id].reported = True
                self._store.set_state(run_id, "running", session.run.owner, session.mismatch)
            if session.between_steps and (
                self._closing or not self._requests.is_empty() or self._timer() >= turn_ends
            ):
                session.leave()
                return
        session.checkpoint()
        self._end(run_id, "finished", session.run.owner, session.mismatch)

    def _pause(self, run_id: str, actor: str) -> None:
        entry = self._get(run_id)
        if entry.state == "running":
            self._in_turn(run_id, Session.checkpoint)
        if entry.state != "paused":
            self._set_state(run_id, "paused", actor)

    def _unpause(self, run_id: str, actor: str) -> None:
        entry = self._get(run_id)
        if entry.state == "paused":
            self._set_state(run_id, "queued", actor)

    def _step(self, run_id: str, actor: str) -> None:
        if self._get(run_id).state != "paused":
            raise ValueError("One step is for a run that is paused: pause it first.")
        self._guard(run_id, partial(self._step_closely, run_id, actor))

    def _step_closely(self, run_id: str, actor: str) -> None:
        if self._in_turn(run_id, Session.step_closely):
            self._set_state(run_id, "paused", actor)
        else:
            self._in_turn(run_id, Session.checkpoint)
            self._end(run_id, "finished", actor, self._get(run_id).session.mismatch)

    def _stop(self, run_id: str, actor: str) -> None:
        entry = self._get(run_id)
        self._end(run_id, "stopped", actor, self._save(run_id, entry))

    def _save(self, run_id: str, entry: LiveRun) -> str:
        """Save a run that is about to end; where that fails, return what to say about it."""
        try:
            if entry.session.is_open:
                self._in_turn(run_id, Session.checkpoint)
        except Exception as error:
            log.exception("run %s could not be saved", run_id)
            return f"Its last steps are not in a checkpoint. {describe_error(error)}"
        return ""

    def _in_turn(self, run_id: str, action: Callable[[Session], T]) -> T:
        """Do something with a run's session while the global random generator is this run's."""
        session = self._get(run_id).session
        session.enter()
        try:
            return action(session)
        finally:
            session.leave()

    def _get(self, run_id: str) -> LiveRun:
        if run_id not in self._entries:
            raise ValueError(f"Run {run_id} has ended meanwhile.")
        return self._entries[run_id]

    def _live(self) -> list[tuple[str, LiveRun]]:
        with self._starting:
            return list(self._entries.items())

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
        entry = self._entries.get(run_id)
        if entry is not None:
            try:
                entry.session.flush()
            except Exception:
                log.exception("the last records of run %s could not be written", run_id)
            self._end(run_id, "failed", entry.session.run.owner, message)

    def _end(self, run_id: str, state: str, actor: str, message: str = "") -> None:
        """Write down how a run ended, then let it go."""
        entry = self._get(run_id)
        try:
            self._store.set_state(run_id, state, actor, message)
        except Exception:  # a full disk: without its lock it reads as interrupted later
            log.exception("the end of run %s could not be written", run_id)
        with self._starting:
            del self._entries[run_id]
        entry.lock.release()
        entry.ended.set()

    def _close_sessions(self) -> None:
        """Save what is in memory, end it as interrupted, and fail what is still asked for."""
        for run_id, entry in self._live():
            message = f"The app was closed. {self._save(run_id, entry)}".strip()
            self._end(run_id, "interrupted", entry.session.run.owner, message)
        self._requests.fail_all("The app is closing.")

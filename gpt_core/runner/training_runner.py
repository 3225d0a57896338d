"""TrainingRunner: the one thread that owns the models that train.

Pages and the terminal ask it to start, pause, resume, stop, save and copy; what happens they
read from the store. Nobody else touches such a model, or draws from torch's global random
generator.
"""

import atexit
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

import filelock
import torch

from gpt_core.access import (
    LOCAL,
    ClassRules,
    is_student,
    require_disk_quota,
    require_owner,
    require_read_access,
    require_teacher,
    require_training_time,
    write_rules,
)
from gpt_core.config import TrainingConfig
from gpt_core.library import runs
from gpt_core.model import check_device
from gpt_core.presets import Preset
from gpt_core.runner.live_run import LiveRun
from gpt_core.runner.new_run import prepare_run
from gpt_core.runner.request_queue import done
from gpt_core.runner.session import Session, Snapshot
from gpt_core.runner.training_thread import OwnerThread
from gpt_core.store import Run, RunStore, run_locks
from gpt_core.system import describe_change, describe_machine, keep_freed_memory, shorten
from gpt_core.text import Corpus, token_cache_in
from gpt_core.training import TrainingData, prepare_data
from gpt_core.vocabularies import get_tokenizer
from gpt_core.weights import InitialWeights

T = TypeVar("T")

VERBS = {
    "pausing": "pause",
    "resuming": "resume",
    "stopping": "stop",
    "stepping": "step",
    "saving": "save",
}


class TrainingRunner:
    """Trains runs in a thread of its own, by turns, and writes down what happens.

    Opening a runner also tidies up: runs recorded as live whose process is gone (nobody
    holds their lock) become ``interrupted``; :meth:`resume` takes them up again.

    Args:
        store: where everything is written down.
        active_runs: how many runs advance by turns; the others wait in a queue.
        threads: how many threads torch computes with; None is torch's own choice.
        timer: a clock in seconds that never jumps.
        rules: what holds for the students of a class.
    """

    def __init__(
        self,
        store: RunStore,
        active_runs: int = 1,
        threads: int | None = None,
        timer: Callable[[], float] = time.perf_counter,
        rules: ClassRules | None = None,
    ) -> None:
        self._store = store
        self._threads = torch.get_num_threads() if threads is None else threads
        if self._threads < 1 or active_runs < 1:
            raise ValueError(f"threads={threads}, active_runs={active_runs}: choose 1 or more.")
        self._timer = timer
        self._cache = token_cache_in(store.runs_dir)
        runs.clean_up(store)
        keep_freed_memory()
        self._owner = OwnerThread(store, active_runs, self._threads, timer, rules or ClassRules())
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
            ValueError: the text is too short, the device is not there, the name is taken, the
                weights are of another model, or a class's rules do not allow a student this run.
        """
        new = prepare_run(preset, corpus, training_config, actor, initial, self._cache)
        if is_student(actor):
            new.require_allowed(self.rules, preset, training_config or preset.training)
        with self._owner.lock:
            self._require_open()
            for live_id, entry in self._owner.entries.items():
                is_equal = entry.session.run.setup == new.setup and run_id in (None, live_id)
                if is_equal and entry.state != "paused" and entry.asked != "stopping":
                    return live_id
            self._require_within_quota(actor, new.max_checkpoint_bytes)
            run_id = run_locks.find_run_id(self._store, run_id, preset.name)
            with run_locks.lock_run(self._store, run_id, "started") as lock:
                new.write_down(self._store, run_id, self._threads)
                self._enqueue(run_locks.find_run(self._store, run_id), new.data, lock)
            return run_id

    def pause(self, run_id: str, actor: str = "local") -> "Future[None]":
        """Halt a run after its present step, with a checkpoint; others have their turn."""
        return self._ask("pausing", run_id, partial(self._owner.pause, run_id, actor), actor)

    def resume(self, run_id: str, actor: str = "local") -> "Future[None]":
        """Let a run go on: a paused one, or one that was stopped, interrupted or failed.

        Raises:
            ValueError: there is no such run, it has finished, it is live in another process, or
                its text is gone.
        """
        if self.owns(run_id):
            return self._ask("resuming", run_id, partial(self._owner.unpause, run_id, actor), actor)
        self._reopen(run_id, actor)
        return done()

    def stop(self, run_id: str, actor: str = "local") -> "Future[None]":
        """End a run after its present step, with a checkpoint from which it can be resumed."""
        return self._ask("stopping", run_id, partial(self._owner.stop, run_id, actor), actor)

    def step(self, run_id: str, actor: str = "local") -> "Future[None]":
        """Run a single update of a paused run, and write down closely what it did."""
        return self._ask("stepping", run_id, partial(self._owner.step, run_id, actor), actor)

    def checkpoint(self, run_id: str, actor: str = "local") -> "Future[int]":
        """Save a whole checkpoint between two steps; answers with the step it is of."""
        save = partial(self._owner.in_turn, run_id, Session.checkpoint)
        return self._ask("saving", run_id, save, actor)

    def snapshot(self, run_id: str, actor: str = "local") -> "Future[Snapshot]":
        """Copy a run's model between two steps, for looking at it.

        Raises:
            NotAllowed: it is somebody else's, and private.
            ValueError: it is not live here.
        """
        return self._ask("", run_id, partial(self._owner.snapshot, run_id), actor)

    def submit(self, action: Callable[[], T]) -> "Future[T]":
        """Do something in the owner thread, between two steps of what trains there."""
        with self._owner.lock:
            self._require_open()
            return self._owner.requests.ask(action)

    @property
    def rules(self) -> ClassRules:
        """Return what holds for the students of the class."""
        return self._owner.rules

    def set_rules(self, rules: ClassRules, actor: str = "local") -> None:
        """Let other rules hold from now on, also for what trains already.

        Raises:
            NotAllowed: it is a student who asks.
        """
        write_rules(self._store, rules, actor)
        self._owner.rules = rules

    @property
    def is_held(self) -> bool:
        """Tell whether no student's run begins."""
        return self._owner.queue.held

    def hold(self, held: bool, actor: str = "local") -> None:
        """Let no student's run begin, or begin again; what trains goes on.

        Raises:
            NotAllowed: it is a student who asks.
        """
        require_teacher(self._store, actor, "hold the queue")
        self._owner.queue.held = held
        self._owner.requests.wake()

    def move(self, run_id: str, place: int, actor: str = "local") -> None:
        """Put a waiting run at a place of the queue, 0 being next; see :meth:`FairQueue.move`.

        Raises:
            NotAllowed: it is a student who asks.
        """
        require_teacher(self._store, actor, "change the order of the queue")
        self._owner.queue.move(run_id, place, list(self._owner.expected_starts({})))

    def expected_starts(self, seconds: Mapping[str, float]) -> dict[str, float]:
        """Return in how many seconds each waiting run of this process begins, the next one first.

        ``seconds`` says how long each run still takes, as far as it is known.
        """
        return self._owner.expected_starts(seconds)

    def pending(self, run_id: str) -> str:
        """Return what was asked of a run and is still to be done ("stopping"), or ""."""
        entry = self._owner.entries.get(run_id)
        return entry.asked if entry else ""

    def complaint(self, run_id: str) -> str:
        """Return, in words, why the last thing asked of a live run could not be done, or ""."""
        entry = self._owner.entries.get(run_id)
        return entry.complaint if entry else ""

    def owns(self, run_id: str) -> bool:
        """Tell whether a run is live in this process, so that it can be asked here."""
        return run_id in self._owner.entries

    def wait(self, run_id: str, timeout: float | None = None) -> bool:
        """Wait until a run of this process has ended; False if the timeout came first."""
        entry = self._owner.entries.get(run_id)
        return entry is None or entry.ended.wait(timeout)

    def close(self) -> None:
        """Save what trains or is paused, as ``interrupted``, and join the thread."""
        self._owner.close()
        atexit.unregister(self.close)

    # Starting and asking, in the caller's thread

    def _enqueue(self, run: Run, data: TrainingData, lock: filelock.BaseFileLock) -> None:
        self._owner.entries[run.id] = LiveRun(Session(self._store, run, data, self._timer), lock)
        self._owner.requests.wake()

    def _reopen(self, run_id: str, actor: str) -> None:
        """Queue a run again that has ended before its last step."""
        run = run_locks.find_unfinished_run(self._store, run_id)
        require_owner(self._store, run_id, actor, "resume")
        check_device(run.training_config.device)
        text, config = self._store.text(run.text_sha256), run.training_config
        data = prepare_data(text, get_tokenizer(), run.model_config, config, self._cache)
        with self._owner.lock:
            self._require_open()
            if self.owns(run_id):
                return  # somebody else was quicker
            self._require_within_quota(run.owner, 0)
            with run_locks.lock_run(self._store, run_id, "resumed") as lock:
                run_locks.find_unfinished_run(self._store, run_id)  # another was quicker?
                change = describe_change(run.versions, describe_machine(self._threads))
                self._store.set_state(run_id, "queued", actor, change)
                self._enqueue(run_locks.find_run(self._store, run_id), data, lock)

    def _ask(
        self, doing: str, run_id: str, action: Callable[[], T], actor: str = LOCAL
    ) -> "Future[T]":
        """Hand something to the owner thread; it is done between two steps."""
        with self._owner.lock:
            self._require_open()
            entry = self._owner.entries.get(run_id)
            if entry is None:
                raise ValueError(
                    f"Run {shorten(run_id)} is not live here: nothing can be asked of it."
                )
            if doing:
                require_owner(self._store, run_id, actor, VERBS[doing])
            else:
                require_read_access(self._store, run_id, actor, "look into")
            future = self._owner.requests.ask(action)
            if doing:
                entry.asked = doing
                future.add_done_callback(partial(entry.answered, doing))
            return future

    def _require_within_quota(self, owner: str, max_checkpoint_bytes: int) -> None:
        """Refuse a student's run that would be more than their share of the machine.

        Raises:
            ValueError: they have too many live runs, no minutes left, or too much on the disk.
        """
        if not is_student(owner):
            return
        rules = self.rules
        theirs = sum(entry.session.run.owner == owner for _, entry in self._owner.live())
        if rules.most_runs is not None and theirs >= rules.most_runs:
            raise ValueError(
                f"You have {theirs} runs that wait, train or are paused, and each student may have "
                f"{rules.most_runs}: wait until one has ended, or stop one."
            )
        require_training_time(self._store, rules, owner)
        require_disk_quota(self._store, rules, owner, max_checkpoint_bytes)

    def _require_open(self) -> None:
        if self._owner.closing:
            raise ValueError("The app is closing: start it again first.")

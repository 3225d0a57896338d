"""TrainingRunner: the interface of pages and command line to the training thread.

They ask it to start, pause, resume, stop, save and copy runs, and read the results from the store.
Requests to a run that another process trains go there through the store, and come from there.
No other thread touches a model in training or draws from its random generator.
"""

import atexit
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import torch

from gpt_core.access import (
    ClassRules,
    is_student,
    refuse,
    require_class_member,
    require_disk_quota,
    require_owner,
    require_read_access,
    require_teacher,
    require_training_time,
    was_halted_by_teacher,
    write_rules,
)
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.distributed import SINGLE, Group
from gpt_core.library import clean_up
from gpt_core.model import find_device_difference
from gpt_core.presets import Preset
from gpt_core.runner.elsewhere.stored_requests import ENDED, StoredRequests
from gpt_core.runner.elsewhere.torchrun import TorchrunRuns, require_devices
from gpt_core.runner.machine import describe_machine_change, machine_facts
from gpt_core.runner.new_run import choose_device, prepare_run
from gpt_core.runner.queue.request_queue import done
from gpt_core.runner.session import Session, Snapshot
from gpt_core.runner.training_threads import TrainingThreads
from gpt_core.store import Command, RunState, RunStore, find_run, run_locks
from gpt_core.system import count, keep_freed_memory
from gpt_core.text import Corpus, TextFile, run_text, token_cache_in
from gpt_core.training import prepare_data
from gpt_core.vocabularies import run_tokenizer
from gpt_core.weights import InitialWeights

T = TypeVar("T")


class TrainingRunner:
    """Trains runs by turns in a thread of its own, and records what happens.

    Opening a runner also cleans up: runs recorded as live whose process has ended (their lock is
    free) become ``interrupted``; :meth:`resume` continues them.

    Args:
        store: where everything is recorded.
        active_runs: how many runs train by turns on each device; the others wait in a queue.
        threads: the number of torch threads; None is torch's default.
        timer: a monotonic clock, in seconds.
        rules: the rules for the students of a class.
        group: the processes that train its run, of which this is rank 0.
        devices: where runs train at the same time, such as each of several GPUs. The first also
            trains those of any other kind; by default it is the only one.
        max_processes: how many processes may train a run of this runner; see torchrun.py.

    Raises:
        ValueError: threads or active_runs is less than 1.
    """

    def __init__(
        self,
        store: RunStore,
        active_runs: int = 1,
        threads: int | None = None,
        timer: Callable[[], float] = time.perf_counter,
        rules: ClassRules | None = None,
        group: Group = SINGLE,
        devices: Sequence[str] = ("cpu",),
        max_processes: int = 1,
    ) -> None:
        self._store = store
        self._group = group
        self._threads = torch.get_num_threads() if threads is None else threads
        if self._threads < 1 or active_runs < 1:
            raise ValueError(f"threads={threads}, active_runs={active_runs}: choose 1 or more.")
        self._timer = timer
        self._cache = token_cache_in(store.runs_dir)
        clean_up(store)
        keep_freed_memory()
        self._thread = TrainingThreads(
            store, active_runs, self._threads, timer, rules or ClassRules(), devices
        )
        self._torchrun = TorchrunRuns(store, self._thread, self._threads, max_processes)
        self._stored_requests = StoredRequests(store, self._serve, self._thread.live_runs)
        atexit.register(self.close)

    # Callable from any thread

    def start(
        self,
        preset: Preset,
        corpus: Corpus | TextFile,
        training_config: TrainingConfig | None = None,
        *,
        actor: str,
        run_id: str | None = None,
        initial: InitialWeights | None = None,
        devices: Sequence[str] = (),
    ) -> str:
        """Queue a run and return its ID; the run trains after this call has returned.

        With the same seed, text and settings a run gives the same losses. If the actor already
        has an equal live run (a double click), its ID is returned.

        Args:
            preset: the model and its training settings.
            corpus: the text.
            training_config: replaces the preset's training settings.
            actor: who asks, and becomes the owner.
            run_id: the run's ID; None generates one.
            initial: the initial weights, which are copied; None draws them at random.
            devices: those of several processes that train it together, started by torchrun, such
                as "cuda:0" and "cuda:2", or "cpu" twice; each takes accumulation_steps batches of
                an update. Empty: one process trains it, on a device that is free.

        Raises:
            ValueError: the text is too short, the device is not available, the ID is taken, the
                weights do not fit the model, a class's rules do not allow a student this run, or
                these devices cannot train it together.
        """
        require_class_member(actor)
        config = training_config or preset.training
        batches = max(1, len(devices)) * config.accumulation_steps  # in an update
        config = replace(config, accumulation_steps=batches)
        new = prepare_run(
            preset, corpus, config, actor, initial, self._cache, self._compare_devices
        )
        require_devices(devices, new.config.device, self.devices, self.max_processes, actor)
        if is_student(actor):
            new.require_allowed(self.rules, preset, config)
        with self._store.quota_lock, self._thread.admission():
            equal = self._thread.find_equal(new.setup, run_id)
            if devices:
                equal = self._torchrun.find_equal(new.setup)
            if equal is not None:
                return equal
            self._require_within_quota(actor, new.max_checkpoint_bytes)
            run_id = run_locks.find_run_id(self._store, run_id, preset.name)
            if devices:
                self._torchrun.start(new, run_id, actor, devices)
                return run_id
            with run_locks.lock_run(self._store, run_id, "started") as lock:
                new.write_down(
                    self._store, run_id, machine_facts(self._threads, self._group, new.config)
                )
                run = find_run(self._store, run_id)
                session = Session(self._store, run, new.data, self._timer, self._group)
                self._thread.admit(session, lock)
            return run_id

    def pause(self, run_id: str, *, actor: str) -> "Future[None]":
        """Pause a run after its current step, with a checkpoint; a waiting run may begin."""
        return self._request(run_id, actor, Command.PAUSE)

    def resume(self, run_id: str, *, actor: str) -> "Future[None]":
        """Continue a run that is paused, or was stopped, interrupted or failed.

        Raises:
            PermissionDenied: the teacher paused or stopped the student's run.
            ValueError: there is no such run, it has finished, it trains in another process, or
                its text was deleted.
        """
        if self.owns(run_id) or self._is_paused_elsewhere(run_id):
            return self._request(run_id, actor, Command.RESUME)
        self._require_unstopped(run_id, actor)
        self._reopen(run_id, actor)
        return done()

    def stop(self, run_id: str, *, actor: str) -> "Future[None]":
        """End a run after its current step, with a checkpoint from which it can be resumed."""
        return self._request(run_id, actor, Command.STOP)

    def step(self, run_id: str, *, actor: str) -> "Future[None]":
        """Run a single step of a paused run, and record its effect on the model."""
        return self._request(run_id, actor, Command.STEP)

    def checkpoint(self, run_id: str, *, actor: str) -> "Future[int]":
        """Save a whole checkpoint between two steps; the answer is its step."""
        return self._request(run_id, actor, Command.SAVE)

    def snapshot(self, run_id: str, *, actor: str) -> "Future[Snapshot]":
        """Copy a run's model between two steps, for inspection.

        Raises:
            PermissionDenied: the run is another student's, and private.
            ValueError: the run is not live here.
        """
        return self._request(run_id, actor, Command.SNAPSHOT)

    def _is_paused_elsewhere(self, run_id: str) -> bool:
        run_locks.mark_interrupted_runs(self._store)  # not if its process has ended
        run = self._store.run(run_id)
        if run is None or run.state is not RunState.PAUSED:
            return False
        return bool(run.origin) or run_locks.is_held(self._store, run_id)  # locks stay there

    def _require_unstopped(self, run_id: str, actor: str) -> None:
        """Refuse a student's continuing of a run that the teacher paused or stopped."""
        run = self._store.run(run_id)
        if run is not None and run.owner == actor and was_halted_by_teacher(run):
            refuse(
                *(self._store, run_id, actor, "resume"),
                "Your teacher paused or stopped this run: ask them to resume it.",
            )

    def submit(self, action: Callable[[], T]) -> "Future[T]":
        """Run an action in the training thread, between two steps."""
        return self._thread.submit(action)

    @property
    def max_processes(self) -> int:
        """Return how many processes may train a run."""
        return self._torchrun.max_processes

    @property
    def devices(self) -> tuple[str, ...]:
        """Return the devices on which runs train at the same time."""
        return self._thread.devices

    @property
    def store(self) -> RunStore:
        """Return the store where everything is recorded."""
        return self._store

    @property
    def rules(self) -> ClassRules:
        """Return the rules for the students of the class."""
        return self._thread.rules

    def set_rules(self, rules: ClassRules, *, actor: str) -> None:
        """Apply other rules from now on, also to running runs.

        Raises:
            PermissionDenied: the actor is a student.
        """
        write_rules(self._store, rules, actor=actor)
        self._thread.rules = rules

    @property
    def is_held(self) -> bool:
        """Tell whether the teacher holds the queue, so that no student's run begins."""
        return self._thread.queue.held

    def hold(self, held: bool, *, actor: str) -> None:
        """Hold or release the queue of students' runs; running runs continue.

        Raises:
            PermissionDenied: the actor is a student.
        """
        require_teacher(self._store, actor, "hold the queue")
        self._thread.queue.held = held
        self._thread.wake()

    def move(self, run_id: str, place: int, *, actor: str) -> None:
        """Move a waiting run to a position in the queue; 0 is next. See :meth:`FairQueue.move`.

        Raises:
            PermissionDenied: the actor is a student.
        """
        require_teacher(self._store, actor, "change the order of the queue")
        self._thread.queue.move(run_id, place, list(self._thread.expected_starts({})))

    def expected_starts(self, seconds: Mapping[str, float]) -> dict[str, float]:
        """Return in how many seconds each waiting run of this process begins, the next one first.

        ``seconds`` gives the remaining seconds of each run, as far as they are known.
        """
        return self._thread.expected_starts(seconds)

    def pending(self, run_id: str) -> Command | None:
        """Return the last request to a live run that is not done yet, or None."""
        live = self._thread.find(run_id)
        return live.pending if live else None

    def last_error(self, run_id: str) -> str:
        """Return, as a sentence, why the last request to a live run failed, or ""."""
        live = self._thread.find(run_id)
        return live.last_error if live else ""

    def owns(self, run_id: str) -> bool:
        """Tell whether a run is live in this process, so that it takes requests here."""
        return self._thread.find(run_id) is not None

    def is_paused(self, run_id: str) -> bool:
        """Tell whether a run is live in this process, and paused."""
        live = self._thread.find(run_id)
        return live is not None and live.state is RunState.PAUSED

    def wait(self, run_id: str, timeout: float | None = None) -> bool:
        """Wait until a run of this process ends; return False if the timeout comes first."""
        live = self._thread.find(run_id)
        return live is None or live.ended.wait(timeout)

    def close(self) -> None:
        """Save the live runs, record them as ``interrupted``, and join the thread."""
        self._torchrun.begin_close()
        self._thread.close()
        self._torchrun.close()
        self._stored_requests.close()
        atexit.unregister(self.close)

    def _request(self, run_id: str, actor: str, command: Command) -> "Future[Any]":
        """Send a request to a live run, if the actor may; it is served between two steps."""
        require_class_member(actor)
        if self.owns(run_id) or command is Command.SNAPSHOT:
            return self._serve(run_id, actor, command)
        self._require_allowed(run_id, actor, command)
        if self._torchrun.is_waiting(run_id):
            return self._torchrun.request(run_id, actor, command)
        return self._stored_requests.send(run_id, actor, command)

    def _serve(self, run_id: str, actor: str, command: Command) -> "Future[Any]":
        """Send a request, perhaps of another process, to a live run of this one."""
        require_class_member(actor)
        self._thread.require_live(run_id)
        self._require_allowed(run_id, actor, command)
        return self._thread.request(run_id, actor, command)

    def _require_allowed(self, run_id: str, actor: str, command: Command) -> None:
        """Refuse a request to a live run that the actor may not make."""
        if command is Command.SNAPSHOT:
            require_read_access(self._store, run_id, actor, command.value)
        else:
            require_owner(self._store, run_id, actor, command.value)
        if command in (Command.RESUME, Command.STEP):
            self._require_unstopped(run_id, actor)

    def _reopen(self, run_id: str, actor: str) -> None:
        """Queue a run again that ended before its last step."""
        require_class_member(actor)
        run = run_locks.find_unfinished_run(self._store, run_id)
        require_owner(self._store, run_id, actor, Command.RESUME.value)
        choose_device(run.model_config, run.training_config, self._compare_devices)
        if devices := self._torchrun.find_devices(run):
            with self._thread.admission():
                self._torchrun.reopen(run, devices, actor)
            return
        text, config = run_text(self._store, run).text, run.training_config
        tokenizer = run_tokenizer(self._store, run)
        data = prepare_data(
            text, tokenizer, run.model_config, config, self._cache, generator=torch.Generator()
        )
        with self._thread.admission():
            if self.owns(run_id):
                return  # an earlier click has resumed it
            self._require_within_quota(run.owner, 0)
            with run_locks.lock_run(self._store, run_id, "resumed") as lock:
                run_locks.find_unfinished_run(self._store, run_id)  # still?
                self._store.answer_all(run_id, ENDED)  # what was asked of an earlier process
                change = describe_machine_change(run, self._threads, self._group)
                if run.processes != self._group.world_size:
                    self._store.set_processes(run_id, self._group.facts(config.device))
                self._store.set_state(run_id, RunState.QUEUED, actor, change)
                run = find_run(self._store, run_id)
                session = Session(self._store, run, data, self._timer, self._group)
                self._thread.admit(session, lock)

    def _compare_devices(self, model_config: GPTConfig, config: TrainingConfig) -> str:
        """Compare a run's device with the CPU in the training thread, which alone computes there.

        Raises:
            ValueError: a batch does not fit into its memory, or the thread is closing.
        """
        if config.device == "cpu":
            return ""
        return self.submit(partial(find_device_difference, model_config, config)).result()

    def _require_within_quota(self, owner: str, disk_space: int) -> None:
        """Refuse a student's run that exceeds their quota of the machine.

        Raises:
            ValueError: the student has too many live runs, no minutes left, or too much on disk.
        """
        if not is_student(owner):
            return
        rules, live = self.rules, self._thread.count_live(owner)
        if rules.most_runs is not None and live >= rules.most_runs:
            raise ValueError(
                f"You have {count(live, 'run')} waiting, training or paused, and each student "
                f"may have {rules.most_runs}: wait until a run has ended, or stop one."
            )
        require_training_time(self._store, rules, owner)
        require_disk_quota(self._store, rules, owner, disk_space)

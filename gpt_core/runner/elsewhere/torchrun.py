"""TorchrunRuns: runs that several processes train together, which torchrun starts for the app."""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import IO

import filelock
import torch

from gpt_core.access import is_student
from gpt_core.distributed import Group
from gpt_core.runner.elsewhere.stored_requests import ENDED
from gpt_core.runner.machine import machine_facts
from gpt_core.runner.new_run import NewRun
from gpt_core.runner.queue.fair_queue import QueuedRun
from gpt_core.runner.queue.request_queue import done
from gpt_core.runner.training_threads import TrainingThreads
from gpt_core.store import Command, Run, RunSetup, RunState, RunStore, run_locks
from gpt_core.system import describe_error

log = logging.getLogger(__name__)

PROCESSES = "GPT_LAB_PROCESSES"  # the environment variable that allows several on the CPU
POLL_SECONDS = 0.5
SAVE_SECONDS = 60.0  # for the processes to save and end, once they are told to
MAX_WORDS = 20_000  # bytes of their output that are looked at for the reason of their end
OF_TORCHRUN = re.compile(r"\[?[IWE]\d{4} |\s|[*=-]|$")  # lines that are not ours


def count_processes() -> int:
    """Return how many processes may train a run on this machine: one a GPU.

    On a machine without several GPUs the environment variable GPT_LAB_PROCESSES allows more.

    Raises:
        ValueError: the variable is not a number of processes.
    """
    text = os.environ.get(PROCESSES)
    if text is None:
        return max(1, torch.cuda.device_count())
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(
            f"The environment variable {PROCESSES}={text!r} must be a whole number, at least 1."
        )
    return int(text)


def require_devices(
    devices: Sequence[str], kind: str, known: Sequence[str], most: int, actor: str
) -> None:
    """Refuse devices that cannot train a run together, or any to a student.

    Args:
        devices: one for each process; none for a run of one process, which is not refused.
        kind: that of the run's device, such as cuda.
        known: the devices of this machine on which runs train.
        most: how many processes there may be.
        actor: who asks.

    Raises:
        ValueError: there is only one, there are too many, or they are not this machine's, of
            another kind, or repeated.
    """
    number, most = len(devices), 1 if is_student(actor) else most
    if number > most:
        raise ValueError(f"{number} processes for one run: at most {most} can train it here.")
    if number == 1:
        raise ValueError("1 device for several processes: choose at least 2, or none.")
    if not {device.partition(":")[0] for device in devices} <= {kind}:
        raise ValueError(f"devices={', '.join(devices)}: the run's device is {kind}.")
    if kind != "cpu" and (set(devices) - set(known) or len(set(devices)) < number):
        raise ValueError(
            f"devices={', '.join(devices)}: choose different ones of {', '.join(known)}."
        )


@dataclass
class GroupRun:
    """A run that several processes train, from its place in the queue to its end."""

    run_id: str
    devices: tuple[str, ...]  # of its processes
    queued: QueuedRun
    lock: filelock.BaseFileLock  # held so that the run is live until its processes hold its lock
    has_begun: bool = False


class TorchrunRuns:
    """Starts the runs that several processes train, and records their deaths.

    Each is trained by ``torchrun … -m gpt_core resume RUN``, a child of this process, which takes
    requests like every run of another process. It begins when no other run trains on its devices
    or was queued for them before it; until it ends, no other begins there. A thread of its own
    waits for it.

    Args:
        store: the store of the runs.
        training: the training threads, on whose devices it trains.
        threads: the number of torch threads of all processes of a run together.
        max_processes: how many processes may train a run.
    """

    def __init__(
        self, store: RunStore, training: TrainingThreads, threads: int, max_processes: int
    ) -> None:
        self.max_processes = max_processes
        self._store = store
        self._training = training
        self._threads = threads
        # Guards _runs and has_begun. Never call the training threads while holding it: starting a
        # run holds their lock and then waits for this one.
        self._lock = threading.Lock()
        self._runs: dict[str, GroupRun] = {}
        self._workers: list[threading.Thread] = []
        self._closing = threading.Event()

    # Callable from any thread

    def find_devices(self, run: Run) -> tuple[str, ...]:
        """Return the devices of the processes that resume a run: those with which it began.

        Where they are not there, as many others train it; where there are too few, () for one
        process.
        """
        processes, kind = run.processes, run.training_config.device
        if not 1 < processes <= self.max_processes:
            return ()
        if kind == "cpu":
            return (kind,) * processes
        same = [name for name in self._training.devices if name.partition(":")[0] == kind]
        recorded = run.versions.get("devices", "").split(", ")
        devices = recorded if set(recorded) <= set(same) else same[:processes]
        return tuple(devices) if len(devices) == processes else ()

    def start(self, new: NewRun, run_id: str, actor: str, devices: Sequence[str]) -> None:
        """Record a run that :func:`require_devices` has allowed, and queue it."""
        group = Group(world_size=len(devices), hosts=(socket.gethostname(),))
        facts = machine_facts(self._threads, group, new.config)
        if new.config.device != "cpu":
            facts["devices"] = ", ".join(devices)
        with run_locks.lock_start(self._store, run_id, "started") as lock:
            new.write_down(self._store, run_id, facts)
            self._add(run_id, actor, tuple(devices), lock)

    def _add(
        self, run_id: str, owner: str, devices: tuple[str, ...], lock: filelock.BaseFileLock
    ) -> None:
        """Queue a run that is recorded, and whose starting lock is held."""
        run = GroupRun(run_id, devices, self._training.reserve(run_id, owner, devices), lock)
        worker = threading.Thread(target=self._work, args=(run,), name="torchrun", daemon=True)
        with self._lock:
            self._runs[run_id] = run
            self._workers = [w for w in self._workers if w.is_alive()]
            try:
                worker.start()
            except RuntimeError:  # the machine starts no thread
                del self._runs[run_id]
                self._training.release(run.queued)
                raise
            self._workers.append(worker)

    def reopen(self, run: Run, devices: tuple[str, ...], actor: str) -> None:
        """Queue a run again that ended before its last step.

        Raises:
            ValueError: a process trains it.
        """
        run_locks.require_not_held(self._store, run.id)
        with run_locks.lock_start(self._store, run.id, "resumed") as lock:
            self._store.answer_all(run.id, ENDED)
            self._store.set_state(run.id, RunState.QUEUED, actor)
            self._add(run.id, run.owner, devices, lock)

    def find_equal(self, setup: RunSetup) -> str | None:
        """Return the ID of such a run with the same losses that is live and not paused."""
        with self._lock:
            ids = list(self._runs)
        for run in map(self._store.run, ids):
            if run and run.setup == setup and run.is_live and run.state is not RunState.PAUSED:
                return run.id
        return None

    def is_waiting(self, run_id: str) -> bool:
        """Tell whether a run's processes are not started yet."""
        with self._lock:
            return run_id in self._runs and not self._runs[run_id].has_begun

    def request(self, run_id: str, actor: str, command: Command) -> "Future[None]":
        """Stop a run that waits; once it has begun, it takes requests by itself.

        Raises:
            ValueError: it is asked for something else, or has begun.
        """
        if command is not Command.STOP:
            raise ValueError("The run waits for its turn: stop it, or wait until it begins.")
        with self._lock:
            run = self._runs.get(run_id)
            if run is None or run.has_begun:
                raise ValueError("The run has begun in this moment: try again.")
            del self._runs[run_id]
        try:
            self._store.set_state(run_id, RunState.STOPPED, actor)
        finally:  # if that cannot be written, mark_interrupted_runs finds the lock free
            self._training.release(run.queued)
            run.lock.release()
        return done()

    def begin_close(self) -> None:
        """Tell the processes to save and end; :meth:`close` waits for them."""
        self._closing.set()

    def close(self) -> None:
        """End all runs: what trains with a checkpoint, and what waits as interrupted."""
        self.begin_close()
        for worker in self._workers:
            worker.join()

    # Only in the thread of a run

    def _work(self, run: GroupRun) -> None:
        words = ""
        try:
            while not self._begin(run):
                if not self._is_mine(run):
                    return  # it was stopped
                if self._closing.wait(POLL_SECONDS):
                    break
            else:
                words = self._train(run)
        except Exception as error:  # the machine starts no process
            log.exception("run %s could not be trained by several processes", run.run_id)
            words = describe_error(error)
        self._end(run, words)

    def _begin(self, run: GroupRun) -> bool:
        """Let a run begin, if it still waits and its devices are free."""
        if not self._is_mine(run) or not self._training.occupy(run.queued):
            return False
        with self._lock:
            run.has_begun = self._runs.get(run.run_id) is run
        if not run.has_begun:  # it was stopped in this moment
            self._training.release(run.queued)
        return run.has_begun

    def _is_mine(self, run: GroupRun) -> bool:
        """Tell whether a run is still this worker's: stopped and resumed, it is another's."""
        with self._lock:
            return self._runs.get(run.run_id) is run

    def _train(self, run: GroupRun) -> str:
        """Train a run in processes of its own until they end; return their last sentence."""
        processes = len(run.devices)
        arguments = ["--standalone", f"--nproc-per-node={processes}", "-m", "gpt_core"]
        command = ["resume", run.run_id, "--runs-dir", str(self._store.runs_dir)]
        threads = str(max(1, self._threads // processes))
        own = {"OMP_NUM_THREADS": threads, "TQDM_DISABLE": "1", **seeing_only(run.devices)}
        with tempfile.TemporaryFile() as output:
            torchrun = subprocess.Popen(  # noqa: S603 (the ID of a run is a plain word)
                [sys.executable, "-m", "torch.distributed.run", *arguments, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
                env={**os.environ, **own},
                start_new_session=True,  # Ctrl-C is for the app, which tells them to save
            )
            while torchrun.poll() is None and not self._closing.wait(POLL_SECONDS):
                pass
            if torchrun.poll() is None:
                self._end_processes(torchrun)
            return _last_words(output, torchrun.returncode)

    def _end_processes(self, torchrun: "subprocess.Popen[bytes]") -> None:
        """Let the processes save and end."""
        torchrun.send_signal(signal.SIGTERM)  # which it passes on to all of them
        try:
            torchrun.wait(SAVE_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("the processes of a run did not end in %.0f s", SAVE_SECONDS)
            torchrun.kill()
            torchrun.wait()

    def _end(self, run: GroupRun, words: str) -> None:
        """Release a run; record how it ended, unless its processes have recorded that."""
        try:
            current = self._store.run(run.run_id)
            if current is not None and current.is_live and self._closing.is_set():
                state, message = RunState.INTERRUPTED, "The app was closed."
                self._store.set_state(run.run_id, state, current.owner, message)
            elif current is not None and current.is_live:
                message = f"The processes that trained it have ended. {words}"
                self._store.set_state(run.run_id, RunState.FAILED, current.owner, message)
            self._store.answer_all(run.run_id, ENDED)
        except Exception:  # a full disk: mark_interrupted_runs finds the lock free
            log.exception("the end of run %s could not be written", run.run_id)
        with self._lock:
            if self._runs.get(run.run_id) is run:
                del self._runs[run.run_id]
        self._training.release(run.queued)
        run.lock.release()


def seeing_only(devices: Sequence[str]) -> dict[str, str]:
    """Return the environment in which processes see only these GPUs, in this order."""
    numbers = [torch.device(device).index for device in devices]
    if torch.device(devices[0]).type != "cuda":
        return {}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(i) for i in range(torch.cuda.device_count())]
    return {"CUDA_VISIBLE_DEVICES": ",".join(names[number] for number in numbers)}


def _last_words(output: IO[bytes], code: int) -> str:
    """Return the last sentence that processes wrote or, if there is none, how one ended."""
    output.seek(max(0, output.seek(0, os.SEEK_END) - MAX_WORDS))
    text = output.read().decode("utf-8", "replace")
    before_report = text.partition("Traceback")[0]  # torchrun's own report begins so
    ours = [line for line in before_report.splitlines() if not OF_TORCHRUN.match(line)]
    killed = [signal.Signals(int(number)) for number in re.findall(r"exitcode\s*: -(\d+)", text)]
    if by := [by for by in killed if by is not signal.SIGTERM]:  # with which torchrun ends the rest
        return f"One was ended by {by[0].name}."
    return ours[-1] if ours else f"Their exit code is {code}."

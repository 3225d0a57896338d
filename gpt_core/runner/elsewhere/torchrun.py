"""TorchrunRuns: runs that several processes train together, which torchrun starts for the app."""

import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import IO

import filelock
import torch

from gpt_core.access import is_student
from gpt_core.runner.elsewhere.stored_requests import ENDED
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


def require_processes(processes: int, most: int, actor: str) -> None:
    """Refuse more processes than may train a run here, or any but one to a student.

    Raises:
        ValueError: there may not be so many.
    """
    most = 1 if is_student(actor) else most
    if not 1 <= processes <= most:
        choices = f"choose 1 to {most}" if most > 1 else "only 1 can train a run here"
        raise ValueError(f"processes={processes}: {choices}.")


@dataclass
class GroupRun:
    """A run that several processes train, from its place in the queue to its end."""

    run_id: str
    processes: int
    lock: filelock.BaseFileLock  # held so that the run is live until its processes hold its lock


class TorchrunRuns:
    """Starts the runs that several processes train, one at a time, and records their deaths.

    Each is trained by ``torchrun … -m gpt_core resume RUN``, a child of this process, which takes
    requests like every run of another process. It occupies the machine: it begins when no other
    run of the app trains or waits, and those that are queued later wait for its end.

    Args:
        store: the store of the runs.
        training: the training threads, whose runs do not train beside them.
        threads: the number of torch threads of all processes of a run together.
    """

    def __init__(self, store: RunStore, training: TrainingThreads, threads: int) -> None:
        self._store = store
        self._training = training
        self._threads = threads
        self._lock = threading.Lock()  # guards the three below; the thread changes _current alone
        self._waiting: list[GroupRun] = []
        self._current: GroupRun | None = None  # the one that has begun
        self._thread: threading.Thread | None = None  # until there is a run
        self._wake = threading.Event()
        self._closing = False

    # Callable from any thread

    def add(self, run_id: str, processes: int, lock: filelock.BaseFileLock) -> None:
        """Queue a run that is recorded, and whose starting lock is held."""
        with self._lock:
            self._waiting.append(GroupRun(run_id, processes, lock))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="torchrun", daemon=True)
                self._thread.start()
        self._wake.set()

    def reopen(self, run: Run, processes: int, actor: str) -> None:
        """Queue a run again that ended before its last step.

        Raises:
            ValueError: a process trains it.
        """
        run_locks.require_not_held(self._store, run.id)
        with run_locks.lock_start(self._store, run.id, "resumed") as lock:
            self._store.answer_all(run.id, ENDED)
            self._store.set_state(run.id, RunState.QUEUED, actor)
            self.add(run.id, processes, lock)

    def find_equal(self, setup: RunSetup) -> str | None:
        """Return the ID of such a run with the same losses that is live and not paused."""
        with self._lock:
            ids = [run.run_id for run in (*self._waiting, self._current) if run]
        for run in map(self._store.run, ids):
            if run and run.setup == setup and run.is_live and run.state is not RunState.PAUSED:
                return run.id
        return None

    def is_waiting(self, run_id: str) -> bool:
        """Tell whether a run's processes are not started yet."""
        with self._lock:
            return any(run.run_id == run_id for run in self._waiting)

    def request(self, run_id: str, actor: str, command: Command) -> "Future[None]":
        """Stop a run that waits; once it has begun, it takes requests by itself.

        Raises:
            ValueError: it is asked for something else, or has begun.
        """
        if command is not Command.STOP:
            raise ValueError("The run waits for its turn: stop it, or wait until it begins.")
        with self._lock:
            run = next((run for run in self._waiting if run.run_id == run_id), None)
            if run is None:
                raise ValueError("The run has begun in this moment: try again.")
            self._waiting.remove(run)
        self._store.set_state(run_id, RunState.STOPPED, actor)
        run.lock.release()
        return done()

    def begin_close(self) -> None:
        """Tell the processes to save and end; :meth:`close` waits for them."""
        self._closing = True
        self._wake.set()

    def close(self) -> None:
        """End all runs: what trains with a checkpoint, and what waits as interrupted."""
        self.begin_close()
        if self._thread is not None:
            self._thread.join()
        for run in self._waiting:
            self._end(run, "")
        self._waiting.clear()

    # Only in the thread of this object

    def _work(self) -> None:
        while not self._closing:
            run = self._take_next()
            if run is None:
                self._wake.wait(POLL_SECONDS)
                self._wake.clear()
                continue
            words = ""
            try:
                words = self._train(run)
            except Exception as error:  # the machine starts no process
                log.exception("run %s could not be trained by several processes", run.run_id)
                words = describe_error(error)
            self._end(run, words)
            with self._lock:
                self._current = None
            self._training.queue.occupied = False
            self._training.wake()

    def _take_next(self) -> GroupRun | None:
        """Return the run that waits longest, once no other run trains or waits here."""
        if not self._waiting or not self._occupy():
            return None
        with self._lock:
            self._current = self._waiting.pop(0) if self._waiting else None
        if self._current is None:  # it was stopped meanwhile
            self._training.queue.occupied = False
            self._training.wake()
        return self._current

    def _occupy(self) -> bool:
        """Reserve this machine, unless runs of the training thread train or wait."""
        try:
            with self._training.admission():
                live = [self._training.find(run_id) for run_id in self._training.live_runs()]
                if any(run is not None and run.state is not RunState.PAUSED for run in live):
                    return False
                self._training.queue.occupied = True
                return True
        except ValueError:  # the app is closing
            return False

    def _train(self, run: GroupRun) -> str:
        """Train a run in processes of its own until they end; return their last sentence."""
        arguments = ["--standalone", f"--nproc-per-node={run.processes}", "-m", "gpt_core"]
        command = ["resume", run.run_id, "--runs-dir", str(self._store.runs_dir)]
        threads = str(max(1, self._threads // run.processes))
        with tempfile.TemporaryFile() as output:
            torchrun = subprocess.Popen(  # noqa: S603 (the ID of a run is a plain word)
                [sys.executable, "-m", "torch.distributed.run", *arguments, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
                env={**os.environ, "OMP_NUM_THREADS": threads, "TQDM_DISABLE": "1"},
                start_new_session=True,  # Ctrl-C is for the app, which tells them to save
            )
            while torchrun.poll() is None and not self._closing:
                self._wake.wait(POLL_SECONDS)
                self._wake.clear()
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
            if current is not None and current.is_live and self._closing:
                state, message = RunState.INTERRUPTED, "The app was closed."
                self._store.set_state(run.run_id, state, current.owner, message)
            elif current is not None and current.is_live:
                message = f"The processes that trained it have ended. {words}"
                self._store.set_state(run.run_id, RunState.FAILED, current.owner, message)
            self._store.answer_all(run.run_id, ENDED)
        except Exception:  # a full disk: mark_interrupted_runs finds the lock free
            log.exception("the end of run %s could not be written", run.run_id)
        run.lock.release()


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

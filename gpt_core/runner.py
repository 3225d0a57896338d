"""TrainingRunner: the one thread that owns the model that trains.

Pages and the terminal ask it to start and to stop; what happens they read from the store.
Nobody else touches the model, or draws from torch's global random generator.
"""

import atexit
import logging
import platform
import queue
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import filelock
import torch

from gpt_core.config import GPTConfig, Preset, TrainingConfig
from gpt_core.corpus import Corpus
from gpt_core.model import GPTModel
from gpt_core.records import Record, StepRecord
from gpt_core.store import RunStore
from gpt_core.tokenizer import get_tokenizer
from gpt_core.training import TrainingData, check_device, create_optimizer, prepare_data, train

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5  # step records wait this long at most before they are written together


@dataclass
class _Job:
    """A run on its way: what it needs, and how others tell the owner thread to end it."""

    run_id: str
    model_config: GPTConfig
    training_config: TrainingConfig
    data: TrainingData
    owner: str
    lock: filelock.BaseFileLock
    ended: threading.Event = field(default_factory=threading.Event)
    stopped_by: str | None = None  # the actor who asked; set once, read between steps


class TrainingRunner:
    """Trains one run at a time in a thread of its own and writes down what happens.

    Opening a runner also tidies up: runs recorded as live whose process is gone (nobody
    holds their lock) become ``interrupted``.

    Args:
        store: where everything is written down.
        timer: measures the time spent on a run, in seconds.
    """

    def __init__(self, store: RunStore, timer: Callable[[], float] = time.perf_counter) -> None:
        self._store = store
        self._timer = timer
        self._starting = threading.Lock()  # guards _job and _closing: who may start what
        self._job: _Job | None = None
        self._closing = False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._mark_interrupted_runs()
        # A daemon: a thread that is not would keep the process from ending. atexit joins it,
        # since a torch thread that is cut off in the middle aborts the process.
        self._thread = threading.Thread(target=self._work, name="training", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def start(
        self,
        preset: Preset,
        corpus: Corpus,
        training_config: TrainingConfig | None = None,
        actor: str = "local",
    ) -> str:
        """Start a run and return its ID; it trains on after this call has returned.

        Args:
            preset: the model, and how it is trained.
            corpus: the text.
            training_config: trains in another way than the preset says.
            actor: who asks.

        Raises:
            ValueError: the text is too short, the device is not there, or a run is live.
        """
        config = training_config or preset.training
        check_device(config.device)
        with self._starting:
            if self._closing:
                raise ValueError("The app is closing: start it again before you start a run.")
            if self._job is not None and not self._job.ended.is_set():
                raise ValueError(
                    f"A run is training already ({self._job.run_id}): stop it, or wait for its end."
                )
            data = prepare_data(corpus.text, get_tokenizer(), preset.model, config)
            run_id = f"{preset.name}-{secrets.token_hex(4)}"
            lock = self._lock(run_id)
            lock.acquire(timeout=0)
            self._store.add_run(
                run_id=run_id,
                owner=actor,
                preset=preset.name,
                model_config=preset.model,
                training_config=config,
                text_name=corpus.name,
                text_sha256=corpus.sha256,
                train_tokens=data.train_tokens,
                val_tokens=data.val_tokens,
                total_steps=config.num_epochs * len(data.train_loader),
                versions=_versions(),
            )
            self._job = _Job(run_id, preset.model, config, data, actor, lock)
            self._jobs.put(self._job)
            return run_id

    def stop(self, run_id: str, actor: str = "local") -> None:
        """Ask a live run to end after its present step; what it recorded stays.

        Raises:
            ValueError: this run is not live here.
        """
        job = self._job
        if job is None or job.run_id != run_id or job.ended.is_set():
            raise ValueError(f"Run {run_id} is not training here: there is nothing to stop.")
        job.stopped_by = actor

    def is_stopping(self, run_id: str) -> bool:
        """Tell whether a live run was asked to stop and is still finishing its step."""
        job = self._job
        asked = job is not None and job.run_id == run_id and job.stopped_by is not None
        return asked and job is not None and not job.ended.is_set()

    def owns(self, run_id: str) -> bool:
        """Tell whether a run is live in this process, so that it can be stopped here."""
        job = self._job
        return job is not None and job.run_id == run_id and not job.ended.is_set()

    def wait(self, run_id: str, timeout: float | None = None) -> bool:
        """Wait until a run of this process has ended; False if the timeout came first."""
        job = self._job
        if job is None or job.run_id != run_id:
            return True
        return job.ended.wait(timeout)

    def close(self) -> None:
        """End what trains after its present step, as ``interrupted``, and join the thread."""
        with self._starting:
            self._closing = True
        self._jobs.put(None)
        self._thread.join()
        atexit.unregister(self.close)

    # The owner thread

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._train(job)
            except Exception:  # the store itself failed: the thread lives on for the next run
                log.exception("run %s could not be written down", job.run_id)
            finally:
                job.lock.release()
                job.ended.set()

    def _train(self, job: _Job) -> None:
        """Train one run to its end and write down which end it was."""
        state, actor, message = "finished", job.owner, ""
        records = _RecordBuffer(self._store, job.run_id, self._timer)
        try:
            self._store.set_state(job.run_id, "running", job.owner)
            torch.manual_seed(job.training_config.seed)
            model = GPTModel(job.model_config).to(job.training_config.device)
            optimizer = create_optimizer(model, job.training_config)
            data, config = job.data, job.training_config
            for record in train(
                model, data.train_loader, data.val_loader, optimizer, get_tokenizer(), config
            ):
                records.add(record)
                if job.stopped_by is not None:
                    state, actor = "stopped", job.stopped_by
                    break
                if self._closing:
                    state, message = "interrupted", "The app was closed."
                    break
        except Exception as error:
            log.exception("run %s failed", job.run_id)
            state, message = "failed", f"{error}" or type(error).__name__
        records.flush()
        self._store.set_state(job.run_id, state, actor, message)

    # Locks: a run belongs to the process that holds its file lock

    def _lock(self, run_id: str) -> filelock.BaseFileLock:
        locks = self._store.runs_dir / "locks"
        locks.mkdir(exist_ok=True)
        # Taken by whoever starts the run, released by the owner thread: not thread-local.
        return filelock.FileLock(locks / f"{run_id}.lock", thread_local=False)

    def _mark_interrupted_runs(self) -> None:
        for run in self._store.live_runs():
            lock = self._lock(run.id)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                continue  # it trains in another process
            message = "The process that trained it is gone."
            self._store.set_state(run.id, "interrupted", run.owner, message)
            lock.release()


class _RecordBuffer:
    """Collects a run's records with the time spent so far, and writes them in batches."""

    def __init__(self, store: RunStore, run_id: str, timer: Callable[[], float]) -> None:
        self._store = store
        self._run_id = run_id
        self._timer = timer
        self._began = self._flushed = timer()
        self._waiting: list[tuple[Record, float]] = []

    def add(self, record: Record) -> None:
        """Keep a record; write all that wait if it is no mere step, or if time is up."""
        now = self._timer()
        self._waiting.append((record, now - self._began))
        if not isinstance(record, StepRecord) or now - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write down what waits."""
        if self._waiting:
            self._store.add_records(self._run_id, self._waiting)
            self._waiting = []
        self._flushed = self._timer()


def _versions() -> dict[str, str]:
    """Return what decides whether a run can be repeated digit by digit."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": platform.machine(),
        "threads": str(torch.get_num_threads()),
    }

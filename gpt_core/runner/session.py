"""Session: one run in the training thread, with its model, random state and checkpoints."""

import copy
import logging
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import psutil
import torch
from torch import Tensor
from torch.optim import Optimizer

from gpt_core.analysis import find_copying
from gpt_core.distributed import (
    SINGLE,
    Group,
    SharedRun,
    SharedState,
    announce_run,
    begin_turn,
    end_turn,
    losses_of_ranks,
    send_state,
)
from gpt_core.inspection import UpdateInspector
from gpt_core.model import (
    GPTModel,
    build_model,
    get_device_random_state,
    get_random_state,
    seed_device,
    set_device_random_state,
    tf32_products,
)
from gpt_core.records import EvaluationRecord, Record, SampleRecord, StepRecord
from gpt_core.runner.machine import read_memory
from gpt_core.runner.replay_check import ReplayCheck
from gpt_core.runner.run_checkpoints import RunCheckpoints
from gpt_core.store import Run, RunStore
from gpt_core.system import lacks_file_handles
from gpt_core.text import Batch, TokenWindows, token_cache_in
from gpt_core.training import (
    TrainingData,
    TrainingState,
    choose_training_loss,
    create_optimizer,
    train,
)
from gpt_core.vocabularies import read_vocabulary
from gpt_core.weights import load_checkpoint, load_weights

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5  # between two writes of records to the store
CHECKPOINT_SECONDS = 30.0  # at least this long between whole checkpoints …
RETRY_SECONDS = 0.2  # before a file is opened again for which there was no handle
CHECKPOINT_COST = 20.0  # … and at most a 20th of the time spent on writing them


@dataclass(frozen=True)
class Snapshot:
    """A copy of a training model at one step, in eval mode on the CPU, for inspection."""

    run_id: str
    global_step: int
    model: GPTModel


@dataclass
class OpenModel:
    """The state of a session while its model is in memory."""

    model: GPTModel
    optimizer: Optimizer
    records: Iterator[Record]  # the training loop, advanced record by record
    replay: ReplayCheck
    device_random_state: Tensor | None  # of a GPU's generator, between turns


class Session:
    """One run in the training thread; no other thread may call it.

    The run draws from its own generator, that of its data. A GPU's generator, from which dropout
    draws there, is this run's between :meth:`enter` and :meth:`leave`.

    Args:
        store: where everything is recorded.
        run: the run.
        data: the run's batches.
        timer: a monotonic clock, in seconds.
        group: the processes that train the run, of which this is rank 0.
    """

    def __init__(
        self,
        store: RunStore,
        run: Run,
        data: TrainingData,
        timer: Callable[[], float] = time.perf_counter,
        group: Group = SINGLE,
    ) -> None:
        self.run = run
        self.mismatch = ""  # how a replayed step differs from the record, as a sentence
        self.compiling = ""  # what compiling the model brought, as a sentence
        self._store = store
        self._data = data
        self._timer = timer
        self._group = group
        self._device = torch.device(run.training_config.device)
        self._vocabulary = store.vocabulary(run.vocabulary_sha256)
        self._tokenizer = read_vocabulary(self._vocabulary)
        self._checkpoints = RunCheckpoints(store, run, group)
        self._open: OpenModel | None = None  # None until the first turn and after unload()
        self._state = TrainingState()
        self._copy: weakref.ref[GPTModel] | None = None  # the last snapshot's model
        self._copied_step = -1
        self._inspector: UpdateInspector | None = None  # during a single step
        self._seconds = 0.0
        self._last_record: Record | None = None
        self._process = psutil.Process()
        self._waiting: list[tuple[Record, float]] = []  # records that are not written yet
        self._flushed = timer()
        self._best_val_loss = float("inf")
        self._next_checkpoint = float("inf")

    @property
    def is_open(self) -> bool:
        """Tell whether the model is in memory: not before the first turn, nor when unloaded."""
        return self._open is not None

    @property
    def seconds(self) -> float:
        """Return the seconds spent on the run."""
        return self._seconds

    @property
    def message(self) -> str:
        """Return what the run's owner should know of how it trains, in sentences, or ""."""
        return f"{self.mismatch} {self.compiling}".strip()

    @property
    def between_steps(self) -> bool:
        """Tell whether everything due after the last update is done."""
        return self._state.between_steps

    def enter(self) -> None:
        """Begin a turn: build or load the model if necessary, and restore a GPU's generator.

        Raises:
            ValueError: the checkpoint to resume from cannot be read.
        """
        begin_turn(self._group)
        if self._open is None:
            self._open = self._build()
        else:
            set_device_random_state(self._device, self._open.device_random_state)

    def leave(self) -> None:
        """End a turn: save the state of a GPU's generator and write the waiting records."""
        if self._open is not None:
            self._open.device_random_state = get_device_random_state(self._device)
        self.flush()
        end_turn(self._group)

    def unload(self) -> None:
        """Drop model and optimizer if a checkpoint holds their state; the next turn loads them.

        With AdamW's moments a model takes three times the memory of its weights, and a run may
        be paused for long. What several processes train stays in memory on all of them.
        """
        if not self._group.is_single:
            return
        whole = self._checkpoints.last_whole()
        saved = whole.global_step if whole else -1
        if self._state.global_step == saved:
            self._open = None

    def advance(self) -> bool:
        """Train up to the next record and store it; return False if the run is finished.

        Raises:
            FloatingPointError: a loss or gradient is not finite; the update was not made.
            OSError: a checkpoint cannot be written.
            sqlite3.Error: the records cannot be written.
            RankLostError: another process of the run has ended, or does not answer.
        """
        open_model = self._require_open()
        began = self._timer()
        with losses_of_ranks(self._group), tf32_products(self.run.training_config):
            record = next(open_model.records, None)
        if record is None:
            return False
        if isinstance(record, SampleRecord):
            record = self._measure_copying(record)
        is_replayed = open_model.replay.is_replayed(record)
        self.mismatch = self.mismatch or open_model.replay.mismatch
        if not is_replayed:
            self._seconds += self._timer() - began
            self._waiting.append((record, self._seconds))
        # An evaluation is written at once: it is a point of the loss curves.
        if isinstance(record, EvaluationRecord) or self._timer() - self._flushed >= FLUSH_SECONDS:
            self.flush()
        self._keep(record)
        self._last_record = record
        return True

    def step_and_inspect(self) -> bool:
        """Run one step, with all that is due after it, and record its effect on the model.

        Return whether there is more to train. It raises the errors of :meth:`advance`.
        """
        open_model, config = self._require_open(), self.run.training_config
        inspector = UpdateInspector(open_model.model, open_model.optimizer, config)
        self._inspector = inspector
        try:
            if not self.advance():
                return False
            step = self._last_record
            assert isinstance(step, StepRecord)
            while not self.between_steps:
                self.advance()
        finally:
            self._inspector = None
        self.flush()
        self._store.add_records(self.run.id, [(inspector.record(step), self._seconds)])
        return self._state.epoch <= config.num_epochs

    def flush(self) -> None:
        """Write the waiting records to the store."""
        if self._waiting:
            memory = read_memory(self._process, self._device)
            self._store.add_records(self.run.id, self._waiting, memory)
            self._waiting = []
        self._flushed = self._timer()

    def checkpoint(self) -> int:
        """Save a whole checkpoint of the current step, unless it is saved; return the step."""
        open_model = self._require_open()
        self.flush()
        began = self._timer()
        if self._checkpoints.save_whole(open_model.model, open_model.optimizer, self._state):
            cost = self._timer() - began
            self._next_checkpoint = self._timer() + max(CHECKPOINT_SECONDS, CHECKPOINT_COST * cost)
        return self._state.global_step

    def save_last_weights(self) -> bool:
        """Save the weights of a run's last step; return False if it must be tried again."""
        saved = self._try(lambda: self._save_weights(self._state.global_step))
        if not saved:
            time.sleep(RETRY_SECONDS)  # the turn ends here: requests are served in between
        return saved

    def remove_optimizer(self) -> None:
        """Remove a finished run's whole checkpoint: with the optimizer it is three times as large.

        Raises:
            OSError: a file cannot be removed.
        """
        self._checkpoints.remove_whole()

    def last_snapshot(self) -> Snapshot | None:
        """Return the last copy of the model, if it is of the current step and still in use."""
        step = self._state.global_step
        model = self._copy() if self._copy and self._copied_step == step else None
        return Snapshot(self.run.id, step, model) if model else None

    def snapshot(self) -> Snapshot:
        """Return a copy of the model."""
        model = copy.deepcopy(self._require_open().model).to("cpu").eval().requires_grad_(False)
        self._copy, self._copied_step = weakref.ref(model), self._state.global_step
        return Snapshot(self.run.id, self._copied_step, model)

    def _build(self) -> OpenModel:
        """Build the model as the chapter does, or load the last whole checkpoint."""
        config = self.run.training_config
        assert self._data.generator is not None, "a run draws from a generator of its own"
        splits = (self._data.train_ids, self._data.val_ids)
        cache = token_cache_in(self._store.runs_dir)
        group = announce_run(self._shared_run(), splits, cache, self._group)
        model = build_model(self.run.model_config, config.seed, self._data.generator)
        model.vocabulary = self._vocabulary  # goes into its checkpoints
        seed_device(self._device, config.seed)
        whole = self._checkpoints.last_whole()
        if whole is None and self.run.initial_sha256:
            self._load_initial(model)
        model.to(self._device)
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        optimizer = create_optimizer(model, config, group)
        self._state = TrainingState()
        self._checkpoints.remove_orphans()
        if whole is not None:
            self._state = load_checkpoint(self._checkpoints.path(whole), model, optimizer)
        shared = SharedState(self._state, get_random_state(model), whole is not None)
        send_state(shared, model, optimizer, group)
        loaders = (self._data.train_loader, self._data.val_loader)
        with tf32_products(config):
            calc_loss, self.compiling = choose_training_loss(model, loaders[0], config, group)
        records = train(
            *(model, *loaders, optimizer, self._tokenizer, config, self._state),
            inspect_update=self._inspect_update,
            group=group,
            calc_loss=calc_loss,
        )
        replay = ReplayCheck(self._store, self.run.id, self._state.global_step)
        self._best_val_loss = self._checkpoints.best_val_loss()
        last = self._store.last_steps(self.run.id, 1)
        if last:
            self._seconds = max(self._seconds, last[0].seconds)
        self._next_checkpoint = self._timer() + CHECKPOINT_SECONDS
        random_state = get_device_random_state(self._device)
        return OpenModel(model, optimizer, records, replay, random_state)

    def _shared_run(self) -> SharedRun:
        """Return what the other ranks must know of the run."""
        return SharedRun(
            self.run.model_config,
            self.run.training_config,
            self._vocabulary,
            self.run.text_sha256,
            (self._data.train_tokens, self._data.val_tokens),
            self._data.token_files,
        )

    def _load_initial(self, model: GPTModel) -> None:
        """Load the run's initial weights into a model.

        Random weights are drawn all the same: the draws of shuffling and dropout follow them.

        Raises:
            ValueError: they were deleted, or are damaged.
        """
        initial = self._checkpoints.initial()
        if initial is None:
            raise ValueError("The run's initial weights were deleted: start another run.")
        model.load_state_dict(load_weights(self._checkpoints.path(initial)).state_dict())

    def _inspect_update(self, batches: list[Batch]) -> AbstractContextManager[None]:
        """Return the context of an update: an inspector during a single step, else none."""
        return self._inspector.around(batches) if self._inspector else nullcontext()

    def _measure_copying(self, sample: SampleRecord) -> SampleRecord:
        windows = self._data.train_loader.dataset
        assert isinstance(windows, TokenWindows)
        try:
            copying = find_copying(
                sample.text, sample.start_context, windows.token_ids, self._tokenizer
            )
        except Exception:
            log.exception("what the sample copies could not be measured")
            return sample
        return replace(sample, copied=copying.spans)

    def _keep(self, record: Record) -> None:
        """Save what is due: the best weights, those of an epoch, or a whole checkpoint."""
        val_loss = record.val_loss if isinstance(record, EvaluationRecord) else float("inf")
        is_best = val_loss < self._best_val_loss
        if is_best and self._try(lambda: self._save_weights(record.global_step)):
            self._best_val_loss = val_loss
        if isinstance(record, SampleRecord) and self.run.training_config.keep_epochs:
            self._try(lambda: self._save_weights(record.global_step))
        is_due = self.between_steps and self._timer() >= self._next_checkpoint
        if is_due and not self._try(self.checkpoint):
            self._next_checkpoint = self._timer() + RETRY_SECONDS

    def _try(self, save: Callable[[], object]) -> bool:
        """Save something; return False if the process has no file handle left for it.

        Others' connections may hold all of them. The run trains on and is saved later.
        """
        for is_repeated in (False, True):
            try:
                save()
            except Exception as error:
                if lacks_file_handles(error):
                    break
                if is_repeated or not isinstance(error, sqlite3.OperationalError):
                    raise  # else a handle may have come back since: SQLite does not say
            else:
                return True
        step = self._state.global_step
        log.warning("step %d of %s is not saved: no file handle is left", step, self.run.id)
        return False

    def _save_weights(self, step: int) -> None:
        self.flush()  # the recorded evaluations tell which checkpoint is best
        self._checkpoints.save_weights(self._require_open().model, step)

    def _require_open(self) -> OpenModel:
        assert self._open is not None, "enter() comes first"
        return self._open

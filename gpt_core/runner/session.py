"""Session: one run in the owner thread, with its model, its random state and its checkpoints."""

import copy
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil
import torch

from gpt_core.analysis import find_copying
from gpt_core.inspection import UpdateInspector
from gpt_core.model import GPTModel
from gpt_core.records import EvaluationRecord, Record, SampleRecord, StepRecord
from gpt_core.store import RECORD_TABLES, Row, Run, RunStore
from gpt_core.text import Batch, TokenWindows
from gpt_core.training import TrainingData, TrainingState, create_optimizer, train
from gpt_core.vocabularies import get_tokenizer
from gpt_core.weights import (
    INITIAL,
    get_random_state,
    load_checkpoint,
    load_weights,
    remove,
    remove_orphans,
    save_checkpoint,
    save_weights,
    set_random_state,
)

FLUSH_SECONDS = 0.5  # records wait about this long before they are written together
CHECKPOINT_SECONDS = 30.0  # a whole checkpoint not more often than this …
CHECKPOINT_SHARE = 20.0  # … nor so often that writing takes more than a 20th of the time


@dataclass(frozen=True)
class Snapshot:
    """A copy of a training model at one step, in eval mode on the CPU, for looking at."""

    run_id: str
    global_step: int
    model: GPTModel


class Session:
    """One run, as the owner thread holds it. Nobody else calls anything here.

    Between :meth:`enter` and :meth:`leave` torch's global random generator is this run's.
    """

    def __init__(
        self,
        store: RunStore,
        run: Run,
        data: TrainingData,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.run = run
        self.mismatch = ""  # what a replayed step gave that was recorded otherwise
        self._store = store
        self._data = data
        self._timer = timer
        self._model: GPTModel | None = None  # until the run's first turn
        self._copy: weakref.ref[GPTModel] | None = None  # the last snapshot's model
        self._copied_step = -1
        self._closeup: UpdateInspector | None = None  # while a single step is looked at
        self._state = TrainingState()
        self._seconds = 0.0
        self._last_record: Record | None = None
        self._process = psutil.Process()
        self._waiting: list[tuple[Record, float]] = []
        self._flushed = timer()

    @property
    def is_open(self) -> bool:
        """Tell whether the model is in memory: not before the first turn, nor while put away."""
        return self._model is not None

    @property
    def seconds(self) -> float:
        """Return the time that was spent on the run."""
        return self._seconds

    @property
    def between_steps(self) -> bool:
        """Tell whether everything due after the last update is done."""
        return self._state.between_steps

    def enter(self) -> None:
        """Begin a turn: build or load the model if it is not there, take up the random state.

        Raises:
            ValueError: the checkpoint to go on from cannot be read.
        """
        if self.is_open:
            set_random_state(self._device, self._random_state)
        else:
            self._open()

    def leave(self) -> None:
        """End a turn: put the random state away and write down what waits."""
        self._random_state = get_random_state(self._device)
        self.flush()

    def unload(self) -> None:
        """Let go of model and optimizer, if all of them can be had again: the next turn does so.

        With its moments a model takes three times its weights, and runs may stand still for long.
        """
        rows = self._store.checkpoints(self.run.id)
        saved = max((r["global_step"] for r in rows if r["kind"] == "whole"), default=-1)
        if self.is_open and self._state.global_step == saved:
            self._model = None
            del self._optimizer, self._records

    def advance(self) -> bool:
        """Run up to the next record and write it down; False if the run is finished.

        Raises:
            FloatingPointError: a loss or gradient is not finite; the update was not made.
            OSError: a checkpoint cannot be written.
            sqlite3.Error: the records cannot be written.
        """
        began = self._timer()
        record = next(self._records, None)
        if record is None:
            return False
        if isinstance(record, SampleRecord):
            record = self._measure_copying(record)
        if not self._is_replayed(record):
            self._seconds += self._timer() - began
            self._waiting.append((record, self._seconds))
        # A point of the curve is what people wait for: it is written at once.
        if isinstance(record, EvaluationRecord) or self._timer() - self._flushed >= FLUSH_SECONDS:
            self.flush()
        self._keep(record)
        self._last_record = record
        return True

    def step_and_inspect(self) -> bool:
        """Run one update, with all that is due after it, and write down closely what it did.

        Return whether the run goes on after it. Errors are those of :meth:`advance`.
        """
        closeup = self._closeup = UpdateInspector(
            self._get_model(), self._optimizer, self.run.training_config
        )
        try:
            if not self.advance():
                return False
            step = self._last_record
            assert isinstance(step, StepRecord)
            while not self.between_steps:
                self.advance()
        finally:
            self._closeup = None
        self.flush()
        at = (step.global_step, step.epoch, step.tokens_seen)
        update = closeup.record(at, step.grad_norm)
        self._store.add_records(self.run.id, [(update, self._seconds)])
        return self._state.epoch <= self.run.training_config.num_epochs

    def _measure_copying(self, sample: SampleRecord) -> SampleRecord:
        windows = self._data.train_loader.dataset
        assert isinstance(windows, TokenWindows)
        copying = find_copying(
            sample.text, sample.start_context, windows.token_ids, get_tokenizer()
        )
        return replace(sample, copied=copying.runs)

    def _watch(self, batches: list[Batch]) -> AbstractContextManager[None]:
        return self._closeup.around(batches) if self._closeup else nullcontext()

    def flush(self) -> None:
        """Write down the records that wait."""
        if self._waiting:
            memory = self._process.memory_info().rss
            self._store.add_records(self.run.id, self._waiting, memory)
            self._waiting = []
        self._flushed = self._timer()

    def checkpoint(self) -> int:
        """Save a whole checkpoint of the present step, unless it is there; return the step."""
        self.flush()
        step = self._state.global_step
        rows = self._store.checkpoints(self.run.id)
        if step >= 0 and not any(r["global_step"] == step and r["kind"] == "whole" for r in rows):
            began = self._timer()
            folder = self._folder(step, "whole")
            written = save_checkpoint(folder, self._get_model(), self._optimizer, self._state)
            self._store.add_checkpoint(self.run.id, step, "whole", folder, written)
            self._prune()
            cost = self._timer() - began
            self._next_checkpoint = self._timer() + max(CHECKPOINT_SECONDS, CHECKPOINT_SHARE * cost)
        return step

    def last_snapshot(self) -> Snapshot | None:
        """Return the copy that was made of this step, as long as somebody keeps it."""
        step = self._state.global_step
        model = self._copy() if self._copy and self._copied_step == step else None
        return Snapshot(self.run.id, step, model) if model else None

    def snapshot(self) -> Snapshot:
        """Return a copy of the model."""
        model = copy.deepcopy(self._get_model()).to("cpu").eval().requires_grad_(False)
        self._copy, self._copied_step = weakref.ref(model), self._state.global_step
        return Snapshot(self.run.id, self._copied_step, model)

    def _open(self) -> None:
        """Build the model as the chapter does or, if there is a checkpoint, go on from it."""
        config = self.run.training_config
        self._device = torch.device(config.device)
        torch.manual_seed(config.seed)
        model = GPTModel(self.run.model_config)
        self._load_initial(model)
        model.to(self._device)
        self._optimizer = create_optimizer(model, config)
        self._state = TrainingState()
        rows = self._store.checkpoints(self.run.id)
        remove_orphans(self._folder(0, "").parent, {Path(row["folder"]).name for row in rows})
        whole = [row for row in rows if row["kind"] == "whole"]
        if whole:
            folder = self._store.runs_dir / max(whole, key=_by_step)["folder"]
            self._state = load_checkpoint(folder, model, self._optimizer)
        self._model = model
        data = self._data
        self._records: Iterator[Record] = train(
            model,
            data.train_loader,
            data.val_loader,
            self._optimizer,
            get_tokenizer(),
            config,
            self._state,
            self._watch,
        )
        self._recorded = self._rows_to_replay()
        best = self._store.best_checkpoint(self.run.id)
        self._best_val_loss = best["val_loss"] if best else float("inf")
        last = self._store.last_steps(self.run.id, 1)
        if last:
            self._seconds = max(self._seconds, last[0]["seconds"])
        self._next_checkpoint = self._timer() + CHECKPOINT_SECONDS

    def _load_initial(self, model: GPTModel) -> None:
        """Give a model the weights that the run begins with, if it begins with any.

        The random ones were drawn all the same: shuffling and dropout come after them.
        """
        rows = self._store.checkpoints(self.run.id)
        if not self.run.initial_sha256 or any(row["kind"] == "whole" for row in rows):
            return
        initial = [row for row in rows if row["kind"] == INITIAL]
        if not initial:
            raise ValueError("The weights that the run begins with are gone: start another one.")
        model.load_state_dict(
            load_weights(self._store.runs_dir / initial[0]["folder"]).state_dict()
        )

    def _rows_to_replay(self) -> dict[tuple[str, int, int | None], Row]:
        """Return what was recorded after the checkpoint: it will come again, and must be equal."""
        return {
            (table, row["global_step"], row.get("probe")): row
            for table in RECORD_TABLES.values()
            for row in getattr(self._store, table)(self.run.id)
            if row["global_step"] > self._state.global_step
        }

    def _is_replayed(self, record: Record) -> bool:
        """Compare a record with the row written when the run came by here before, if it did."""
        probe = getattr(record, "probe", None)
        row = self._recorded.pop((RECORD_TABLES[type(record)], record.global_step, probe), None)
        if row is None:
            return False
        for name, value in asdict(record).items():
            is_known = row[name] is not None
            if is_known and row[name] != value and not self.mismatch:
                self.mismatch = (
                    f"Replayed step {record.global_step} is not what was recorded: "
                    f"{name} {value} now, {row[name]} then."
                )
        return True

    def _keep(self, record: Record) -> None:
        """Save what the run keeps: the best weights, each epoch's, and the last checkpoint."""
        if isinstance(record, EvaluationRecord) and record.val_loss < self._best_val_loss:
            self._best_val_loss = record.val_loss
            self._save_weights(record.global_step)
        if isinstance(record, SampleRecord) and self.run.training_config.keep_epochs:
            self._save_weights(record.global_step)
        if self.between_steps and self._timer() >= self._next_checkpoint:
            self.checkpoint()

    def _save_weights(self, step: int) -> None:
        self.flush()  # which checkpoint is the best is asked of the evaluations on record
        rows = self._store.checkpoints(self.run.id)
        if not any(r["global_step"] == step and r["kind"] == "weights" for r in rows):
            folder = self._folder(step, "weights")
            written = save_weights(folder, self._get_model())
            self._store.add_checkpoint(self.run.id, step, "weights", folder, written)
            self._prune()

    def _prune(self) -> None:
        """Remove all but the last whole checkpoint, the best, and the last epochs' weights."""
        rows = sorted(self._store.checkpoints(self.run.id), key=_by_step)
        best = self._store.best_checkpoint(self.run.id)
        epoch_ends = {r["global_step"] for r in self._store.samples(self.run.id)}
        epochs = [r for r in rows if r["global_step"] in epoch_ends and r["kind"] == "weights"]
        kept = [
            *[r for r in rows if r["kind"] == INITIAL],
            *[r for r in rows if r["kind"] == "whole"][-1:],
            *([best] if best else []),
            *epochs[max(0, len(epochs) - self.run.training_config.keep_epochs) :],
        ]
        for row in rows:
            if row["id"] not in {r["id"] for r in kept}:
                self._store.remove_checkpoint(row["id"])
                remove(self._store.runs_dir / row["folder"])

    def _folder(self, step: int, kind: str) -> Path:
        return self._store.runs_dir / "checkpoints" / self.run.id / f"{step:06d}-{kind}"

    def _get_model(self) -> GPTModel:
        assert self._model is not None, "enter() comes first"
        return self._model


def _by_step(row: Row) -> int:
    return int(row["global_step"])

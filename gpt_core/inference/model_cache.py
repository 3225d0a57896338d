"""ModelCache: models for inference, each built once, within a memory budget.

These models are never trained. The runner owns the models in training; the cache takes snapshots
of them.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from gpt_core.access import require_read_access
from gpt_core.config import GPTConfig
from gpt_core.library import ModelLibrary
from gpt_core.model import (
    BYTES_PER_PARAMETER,
    GPTModel,
    build_model,
    count_parameters,
    transpose_weights,
)
from gpt_core.runner import Snapshot, TrainingRunner
from gpt_core.store import Checkpoint, RunStore
from gpt_core.system import describe_error
from gpt_core.weights import load_weights

BUDGET_BYTES = 3 * 2**30  # four models of the chapter's size


class ModelCache:
    """Models in eval mode, for any thread; the least recently used is evicted first.

    Args:
        budget_bytes: maximum size of all weights together; the newest model is always kept.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._lock = threading.Lock()  # guards _models, never held while one is built
        self._models: OrderedDict[Hashable, Future[GPTModel]] = OrderedDict()

    def untrained(self, config: GPTConfig, seed: int = 123) -> GPTModel:
        """Return the untrained model of a seed."""
        return self._get(("untrained", config, seed), lambda: build_model(config, seed))

    def initial(self, store: RunStore, run_id: str, *, actor: str) -> GPTModel:
        """Return a run's model as its seed drew it: before the first update, if it began randomly.

        Raises:
            PermissionDenied: the run is another student's, and private.
            ValueError: there is no such run, or its vocabulary is missing or damaged.
        """
        run = require_read_access(store, run_id, actor, "look into")
        vocabulary = store.vocabulary(run.vocabulary_sha256)
        config, seed = run.model_config, run.training_config.seed

        def build() -> GPTModel:
            model = build_model(config, seed)
            model.vocabulary = vocabulary
            return model

        return self._get(("initial", config, seed, run.vocabulary_sha256), build)

    def checkpoint(self, store: RunStore, run_id: str, global_step: int, *, actor: str) -> GPTModel:
        """Return a run's model as saved at a step.

        Raises:
            PermissionDenied: the run is another student's, and private.
            ValueError: there is no checkpoint of that step, or it is damaged.
        """
        require_read_access(store, run_id, actor, "look into")
        found = _checkpoint_at(store, run_id, global_step)
        folder = store.runs_dir / found.folder
        return self._get(("checkpoint", found.id), lambda: load_weights(folder))

    def library_model(self, library: ModelLibrary, key: str, *, actor: str) -> GPTModel:
        """Return a model of the library.

        Raises:
            PermissionDenied: the model is another student's, and not shared.
            ValueError: there is no such model, or it cannot be loaded.
        """
        entry = library.find(key, actor=actor)
        version = ("library", entry.path, entry.modified())
        return self._get(version, lambda: library.load(key, actor=actor))

    def snapshot(
        self, runner: TrainingRunner, run_id: str, *, actor: str, timeout: float = 60
    ) -> Snapshot:
        """Return a copy of a live run's model at its current step.

        A run of another process saves a checkpoint, which is read.

        Raises:
            PermissionDenied: the run is another student's, and private or of another process.
            ValueError: the run is not live.
            TimeoutError: its current step did not end in time.
        """
        if not runner.owns(run_id):
            return self._saved_copy(runner, run_id, actor, timeout)
        try:
            snapshot = runner.snapshot(run_id, actor=actor).result(timeout)
        except (RuntimeError, MemoryError) as error:  # also: the app is closing
            raise ValueError(describe_error(error)) from error
        # Cached, so that the run is copied only once per step.
        self._get(("snapshot", run_id, snapshot.global_step), lambda: snapshot.model)
        return snapshot

    def _saved_copy(
        self, runner: TrainingRunner, run_id: str, actor: str, timeout: float
    ) -> Snapshot:
        """Let the process that trains a run save a checkpoint, and read the model from it."""
        store = runner.store
        try:
            step = runner.checkpoint(run_id, actor=actor).result(timeout)
        except RuntimeError as error:  # the app is closing
            raise ValueError(describe_error(error)) from error
        if step < 0:
            raise ValueError("The run has not done its first step yet: try again in a moment.")
        folder = store.runs_dir / _checkpoint_at(store, run_id, step).folder
        model = self._get(("snapshot", run_id, step), lambda: load_weights(folder))
        return Snapshot(run_id, step, model)

    def last_snapshot(
        self, store: RunStore, run_id: str, global_step: int, *, actor: str
    ) -> GPTModel | None:
        """Return the model of an earlier snapshot, or None if it was evicted.

        Raises:
            PermissionDenied: the run is another student's, and private.
            ValueError: there is no such run.
        """
        require_read_access(store, run_id, actor, "look into")
        key = ("snapshot", run_id, global_step)
        with self._lock:
            future = self._models.get(key)
            if future is not None:
                self._models.move_to_end(key)
        return None if future is None else future.result()

    def _get(self, key: Hashable, build: Callable[[], GPTModel]) -> GPTModel:
        """Return a model, built by the first thread that asks while the others wait for it."""
        with self._lock:
            future = self._models.get(key)
            is_first = future is None
            if future is None:
                future = self._models[key] = Future()
            self._models.move_to_end(key)
        if is_first:
            try:
                model = build()
                transpose_weights(model)  # for inference, not for training
                future.set_result(model)
            except BaseException as error:
                with self._lock:
                    self._models.pop(key, None)
                if isinstance(error, RuntimeError | MemoryError):  # torch, out of memory
                    error = ValueError(describe_error(error))
                future.set_exception(error)
            self._evict()
        return future.result()

    def _evict(self) -> None:
        with self._lock:
            built = [(k, f.result()) for k, f in self._models.items() if f.done()]
            sizes = {k: BYTES_PER_PARAMETER * count_parameters(model) for k, model in built}
            for key, _ in built[:-1]:  # least recently used first
                if sum(sizes.values()) <= self._budget_bytes:
                    break
                del self._models[key], sizes[key]


def _checkpoint_at(store: RunStore, run_id: str, global_step: int) -> Checkpoint:
    """Return a run's checkpoint of a step.

    Raises:
        ValueError: there is none.
    """
    for checkpoint in store.checkpoints(run_id):
        if checkpoint.global_step == global_step:
            return checkpoint
    raise ValueError(f"Run {run_id} has no checkpoint of step {global_step}.")

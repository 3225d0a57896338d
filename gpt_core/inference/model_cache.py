"""ModelShelf: models for reading, each built once, and the one worker that writes with them.

What stands here is never trained. A model that trains is the runner's; to read it, the shelf
takes a snapshot of it.
"""

import atexit
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gpt_core.access import LOCAL, require_read_access
from gpt_core.config import GPTConfig
from gpt_core.library import ModelLibrary
from gpt_core.model import (
    BYTES_PER_PARAMETER,
    GREEDY,
    Choice,
    Decoding,
    GPTModel,
    build_model,
    count_parameters,
    describe_choice,
    stream_tokens,
    transpose_weights,
)
from gpt_core.runner import Snapshot, TrainingRunner
from gpt_core.store import RunStore
from gpt_core.system import describe_error
from gpt_core.weights import load_weights

BUDGET_BYTES = 3 * 2**30  # four models of the chapter's size


@dataclass
class GenerationJob:
    """A text on its way: the worker adds to ``choices``, whoever asked reads and may stop it."""

    choices: list[Choice] = field(default_factory=list)  # only ever appended to
    ended: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    stop_asked: bool = False

    @property
    def new_ids(self) -> list[int]:
        """Return the tokens that are written so far."""
        return [choice.token_id for choice in list(self.choices)]

    def stop(self) -> None:
        """Ask the worker to write no further token."""
        self.stop_asked = True


class ModelCache:
    """Models in eval mode, for any thread, the least recently used evicted first.

    Args:
        budget_bytes: what the weights may take together; the newest model stays in any case.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._lock = threading.Lock()  # guards _models, never held while one is built
        self._models: OrderedDict[Hashable, Future[GPTModel]] = OrderedDict()
        self._tasks: queue.SimpleQueue[tuple[GenerationJob, Callable[[], None]] | None]
        self._tasks = queue.SimpleQueue()
        self._worker = threading.Thread(target=self._work, name="writing", daemon=True)
        self._closing = False
        self._worker.start()
        atexit.register(self.close)  # a torch thread cut off in the middle aborts the process

    def untrained(self, config: GPTConfig, seed: int = 123) -> GPTModel:
        """Return the untrained model that a seed gives."""
        return self._get(("untrained", config, seed), lambda: build_model(config, seed))

    def checkpoint(
        self, store: RunStore, run_id: str, global_step: int, actor: str = LOCAL
    ) -> GPTModel:
        """Return a run's model as it was saved at a step.

        Raises:
            NotAllowed: it is somebody else's, and private.
            ValueError: there is no checkpoint of that step, or it is damaged.
        """
        require_read_access(store, run_id, actor, "look into")
        rows = [r for r in store.checkpoints(run_id) if r["global_step"] == global_step]
        if not rows:
            raise ValueError(f"Run {run_id} has no checkpoint of step {global_step}.")
        folder = store.runs_dir / rows[0]["folder"]
        return self._get(("checkpoint", rows[0]["id"]), lambda: load_weights(folder))

    def kept(self, library: ModelLibrary, key: str, actor: str = LOCAL) -> GPTModel:
        """Return a model of the library.

        Raises:
            NotAllowed: it is somebody else's, who does not share it.
            ValueError: it is not there, or cannot be loaded.
        """
        card = library.find(key, actor)
        return self._get(("kept", card.path, card.modified()), lambda: library.load(key, actor))

    def snapshot(
        self, runner: TrainingRunner, run_id: str, actor: str = LOCAL, timeout: float = 60
    ) -> Snapshot:
        """Return a copy of a live run's model at its present step.

        Raises:
            NotAllowed: it is somebody else's, and private.
            ValueError: the run is not live here.
            TimeoutError: it did not come between two steps in time.
        """
        try:
            snapshot = runner.snapshot(run_id, actor).result(timeout)
        except (RuntimeError, MemoryError) as error:  # also: the app is closing
            raise ValueError(describe_error(error)) from error
        # Standing here keeps it alive: the run copies itself once per step, however many ask.
        self._get(("snapshot", run_id, snapshot.global_step), lambda: snapshot.model)
        return snapshot

    def recall(self, run_id: str, global_step: int) -> GPTModel | None:
        """Return the model of a snapshot taken before, or None if it has been evicted."""
        key = ("snapshot", run_id, global_step)
        with self._lock:
            future = self._models.get(key)
            if future is not None:
                self._models.move_to_end(key)
        return None if future is None else future.result()

    def write(
        self,
        model: GPTModel | Callable[[], GPTModel],
        token_ids: Tensor,
        max_new_tokens: int,
        decoding: Decoding = GREEDY,
        eos_id: int | None = None,
        seed: int = 123,
    ) -> GenerationJob:
        """Continue token IDs (1, T) in the worker thread; texts are written one after another.

        Arguments are those of :func:`gpt_core.model.generation.stream_tokens`; ``seed`` gives this
        text a random generator of its own. A function that gives the model is called by the
        worker, which may wait for it where the caller must not.
        """
        writing = GenerationJob()

        def add_tokens() -> None:
            generator = torch.Generator().manual_seed(seed)
            chosen = model if isinstance(model, GPTModel) else model()
            tokens = stream_tokens(chosen, token_ids, max_new_tokens, decoding, eos_id, generator)
            for next_id, logits in tokens:
                writing.choices.append(describe_choice(next_id, logits, decoding))
                if writing.stop_asked or self._closing:
                    return

        if self._closing:
            raise ValueError("The app is closing: nothing is written any more.")
        self._tasks.put((writing, add_tokens))
        return writing

    def close(self) -> None:
        """End the worker after the token it is at; texts that wait are not begun."""
        self._closing = True
        self._tasks.put(None)
        self._worker.join()
        atexit.unregister(self.close)

    def _get(self, key: Hashable, build: Callable[[], GPTModel]) -> GPTModel:
        """Return a model, built by the first who asks while the others wait for it."""
        with self._lock:
            future = self._models.get(key)
            is_first = future is None
            if future is None:
                future = self._models[key] = Future()
            self._models.move_to_end(key)
        if is_first:
            try:
                model = build()
                transpose_weights(model)  # it is for reading and writing, not for training
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
            for key, _ in built[:-1]:  # oldest use first
                if sum(sizes.values()) <= self._budget_bytes:
                    break
                del self._models[key], sizes[key]

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            writing, add_tokens = task
            try:
                if not (writing.stop_asked or self._closing):
                    add_tokens()
            except Exception as error:
                writing.error = error
            writing.ended.set()

"""GenerationWorker: a thread that generates texts, one after another."""

import atexit
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gpt_core.model import GREEDY, Choice, Decoding, GPTModel, describe_choice, stream_tokens


@dataclass
class GenerationJob:
    """A text being generated: the worker appends to ``choices``, the caller reads and may stop."""

    choices: list[Choice] = field(default_factory=list)  # append-only
    ended: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    stop_asked: bool = False

    @property
    def new_ids(self) -> list[int]:
        """Return the tokens generated so far."""
        return [choice.token_id for choice in list(self.choices)]

    def stop(self) -> None:
        """Ask the worker to generate no further token."""
        self.stop_asked = True


class GenerationWorker:
    """Generates texts in a thread of its own, in the order of submission."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[GenerationJob, Callable[[], None]] | None]
        self._jobs = queue.SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="generation", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # a torch thread cut off in the middle aborts the process

    def submit(
        self,
        model: GPTModel | Callable[[], GPTModel],
        token_ids: Tensor,
        max_new_tokens: int,
        decoding: Decoding = GREEDY,
        eos_id: int | None = None,
        seed: int = 123,
    ) -> GenerationJob:
        """Continue token IDs of shape (1, T).

        The arguments are those of :func:`gpt_core.model.stream_tokens`; ``seed`` is for this text's
        own random generator. If ``model`` is a function that returns the model, the worker calls
        it, so that the caller does not wait.

        Raises:
            ValueError: the app is closing.
        """
        job = GenerationJob()

        def add_tokens() -> None:
            generator = torch.Generator().manual_seed(seed)
            chosen = model if isinstance(model, GPTModel) else model()
            tokens = stream_tokens(chosen, token_ids, max_new_tokens, decoding, eos_id, generator)
            for next_id, logits in tokens:
                job.choices.append(describe_choice(next_id, logits, decoding))
                if job.stop_asked or self._closing:
                    return

        if self._closing:
            raise ValueError("The app is closing: no more texts are generated.")
        self._jobs.put((job, add_tokens))
        return job

    def close(self) -> None:
        """End the worker after its current token; waiting texts are not generated."""
        self._closing = True
        self._jobs.put(None)
        self._thread.join()
        atexit.unregister(self.close)

    def _work(self) -> None:
        while (task := self._jobs.get()) is not None:
            job, add_tokens = task
            try:
                if not (job.stop_asked or self._closing):
                    add_tokens()
            except Exception as error:
                job.error = error
            job.ended.set()

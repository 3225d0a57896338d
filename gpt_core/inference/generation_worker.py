"""GenerationWorker: a thread that generates texts by turns of those who asked."""

import atexit
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gpt_core.access import require_class_member
from gpt_core.model import GREEDY, Choice, Decoding, GPTModel, describe_choice, stream_tokens
from gpt_core.system import compute_after_others

TURN_TOKENS = 8  # before the turn of the next who asked
MAX_TEXTS = 24  # of one owner, that are written or wait
DONE = object()


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


Tokens = Iterator[None]  # of one text; each item has added a token to its job


class GenerationWorker:
    """Generates texts in a thread of its own: the owners take turns, each of some tokens.

    The texts of one owner are generated in the order of submission.

    Args:
        niceness: 0 to 19, how much what else computes goes first; in a class training does.
    """

    def __init__(self, niceness: int = 0) -> None:
        self._niceness = niceness
        # Guards _waiting and _closing; notified when one of them changes.
        self._changed = threading.Condition()
        # By owner, in the order of their turns: the one whose last turn is longest ago is first.
        self._waiting: OrderedDict[str, deque[tuple[GenerationJob, Tokens]]] = OrderedDict()
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
        *,
        owner: str,
    ) -> GenerationJob:
        """Continue token IDs of shape (1, T).

        The arguments are those of :func:`gpt_core.model.stream_tokens`; ``seed`` is for this text's
        own random generator. If ``model`` is a function that returns the model, the worker calls
        it, so that the caller does not wait. ``owner`` is who asked, whose turn it takes.

        Raises:
            PermissionDenied: the owner is not in the class.
            ValueError: the app is closing, or the owner has many texts waiting.
        """
        require_class_member(owner)
        job = GenerationJob()

        def add_tokens() -> Tokens:
            generator = torch.Generator().manual_seed(seed)
            chosen = model if isinstance(model, GPTModel) else model()
            tokens = stream_tokens(chosen, token_ids, max_new_tokens, decoding, eos_id, generator)
            for next_id, logits in tokens:
                job.choices.append(describe_choice(next_id, logits, decoding))
                yield

        with self._changed:
            if self._closing:
                raise ValueError("The app is closing: no more texts are generated.")
            texts = self._waiting.setdefault(owner, deque())
            if len(texts) >= MAX_TEXTS:
                raise ValueError(
                    f"You have {len(texts)} texts being written: stop one, or wait for it."
                )
            texts.append((job, add_tokens()))
            self._changed.notify()
        return job

    def close(self) -> None:
        """End the worker after its current token; waiting texts are not generated."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        atexit.unregister(self.close)

    def _work(self) -> None:
        compute_after_others(self._niceness)
        while (turn := self._next_turn()) is not None:
            owner, job, tokens = turn
            try:
                is_done = self._generate(job, tokens)
            except Exception as error:
                job.error, is_done = error, True
            if is_done:
                self._remove(owner)
                job.ended.set()
            del turn, tokens  # while it waits, the worker holds no model
        with self._changed:
            for texts in self._waiting.values():
                for job, _ in texts:
                    job.ended.set()
            self._waiting.clear()

    def _next_turn(self) -> tuple[str, GenerationJob, Tokens] | None:
        """Wait for a text; return whose turn it is and their first one, or None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if self._closing:
                return None
            owner, texts = next(iter(self._waiting.items()))
            self._waiting.move_to_end(owner)
            return owner, *texts[0]

    def _generate(self, job: GenerationJob, tokens: Tokens) -> bool:
        """Generate the tokens of one turn; return whether the text is done."""
        for _ in range(TURN_TOKENS):
            if job.stop_asked or self._closing or next(tokens, DONE) is DONE:
                return True
        return False

    def _remove(self, owner: str) -> None:
        """Remove the first text of an owner, which is done."""
        with self._changed:
            texts = self._waiting[owner]
            texts.popleft()
            if not texts:
                del self._waiting[owner]

"""TrainingState: the progress of a run."""

from dataclasses import dataclass

from torch import Tensor

from gpt_core.text import Batch


@dataclass
class TrainingState:
    """The progress of a run.

    With the weights, the optimizer and the random generator's state of the same moment, it is all
    that a resumed run needs to continue exactly as if it had never stopped.
    """

    epoch: int = 1
    batches_done: int = 0  # in this epoch
    global_step: int = -1  # of the last update, in the book's counting
    tokens_seen: int = 0
    epoch_rng_state: Tensor | None = None  # when the epoch began: gives its order of batches again
    between_steps: bool = True  # False while this step's evaluation or sample is still to come

    @property
    def position(self) -> tuple[int, int, int]:
        """Return where the run is, as its records say it: step, epoch and tokens seen."""
        return self.global_step, self.epoch, self.tokens_seen

    def count_update(self, batches: list[Batch]) -> None:
        """Count one optimizer update, made of these batches."""
        self.tokens_seen += sum(inputs.numel() for inputs, _ in batches)
        self.batches_done += len(batches)
        self.global_step += 1

    def end_epoch(self) -> None:
        """Advance to the next epoch."""
        self.epoch += 1
        self.batches_done = 0
        self.epoch_rng_state = None
        self.between_steps = True

"""RunCheckpoints: saves and removes the checkpoints of one run."""

from pathlib import Path

from torch.optim import Optimizer

from gpt_core.distributed import SINGLE, Group, whole_optimizer
from gpt_core.model import GPTModel
from gpt_core.store import Checkpoint, CheckpointKind, Run, RunStore
from gpt_core.training import TrainingState
from gpt_core.weights import remove, remove_orphans, save_checkpoint, save_weights


class RunCheckpoints:
    """A run's checkpoints on disk. A checkpoint is recorded only while its folder is complete.

    Kept are the last whole checkpoint until the run has finished, the best weights by validation
    loss, those of the last epochs and of the last step, and the initial weights.

    Args:
        store: where they are recorded.
        run: the run they belong to.
        group: the processes that train it; this is rank 0, which writes.
    """

    def __init__(self, store: RunStore, run: Run, group: Group = SINGLE) -> None:
        self._store = store
        self._group = group
        self._run = run

    def last_whole(self) -> Checkpoint | None:
        """Return the checkpoint from which the run can resume exactly, if there is one."""
        return max(self._of_kind(CheckpointKind.WHOLE), key=_step, default=None)

    def initial(self) -> Checkpoint | None:
        """Return the initial weights, if they were not drawn at random."""
        return next(iter(self._of_kind(CheckpointKind.INITIAL)), None)

    def best_val_loss(self) -> float:
        """Return the lowest validation loss of the checkpoints, infinite if there is none."""
        best = self._store.best_checkpoint_and_loss(self._run.id)
        return best[1] if best else float("inf")

    def path(self, checkpoint: Checkpoint) -> Path:
        """Return the folder of a checkpoint."""
        return self._store.runs_dir / checkpoint.folder

    def save_whole(self, model: GPTModel, optimizer: Optimizer, state: TrainingState) -> bool:
        """Save all that is needed to resume exactly, unless it is saved; tell if it was written.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        step, kind = state.global_step, CheckpointKind.WHOLE
        if step < 0 or self._has(step, kind):
            return False
        folder = self._folder(step, kind)
        with whole_optimizer(optimizer, self._group):
            written = save_checkpoint(folder, model, optimizer, state)
        self._store.add_checkpoint(self._run.id, step, kind, folder, written)
        self._prune()
        return True

    def save_weights(self, model: GPTModel, step: int) -> None:
        """Save the weights of a step, unless they are saved.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        kind = CheckpointKind.WEIGHTS
        if not self._has(step, kind):
            folder = self._folder(step, kind)
            written = save_weights(folder, model)
            self._store.add_checkpoint(self._run.id, step, kind, folder, written)
        self._prune()  # even so: an epoch may have ended since they were saved

    def remove_whole(self) -> None:
        """Remove the whole checkpoints, which only a run that can be resumed needs."""
        for checkpoint in self._of_kind(CheckpointKind.WHOLE):
            self._remove(checkpoint)

    def remove_orphans(self) -> None:
        """Remove folders that are not recorded: a killed process leaves incomplete ones."""
        on_record = {Path(c.folder).name for c in self._store.checkpoints(self._run.id)}
        remove_orphans(self._folder(0, CheckpointKind.WHOLE).parent, on_record)

    def _prune(self) -> None:
        """Remove what is not kept: first its row, then its folder."""
        checkpoints = self._store.checkpoints(self._run.id)
        best = self._store.best_checkpoint(self._run.id)
        epoch_ends = {sample.global_step for sample in self._store.samples(self._run.id)}
        epochs = [c for c in self._of_kind(CheckpointKind.WEIGHTS) if c.global_step in epoch_ends]
        keep_epochs = self._run.training_config.keep_epochs
        kept = {
            *(c.id for c in self._of_kind(CheckpointKind.INITIAL)),
            *(c.id for c in self._of_kind(CheckpointKind.WHOLE)[-1:]),
            *([best.id] if best else []),
            *(c.id for c in epochs[max(0, len(epochs) - keep_epochs) :]),
            *(c.id for c in checkpoints if c.global_step == self._run.total_steps - 1),
        }
        for checkpoint in checkpoints:
            if checkpoint.id not in kept:
                self._remove(checkpoint)

    def _remove(self, checkpoint: Checkpoint) -> None:
        self._store.remove_checkpoint(checkpoint.id)
        remove(self.path(checkpoint))

    def _of_kind(self, kind: CheckpointKind) -> list[Checkpoint]:
        """Return the run's checkpoints of a kind, in order of their steps."""
        checkpoints = self._store.checkpoints(self._run.id)
        return sorted((c for c in checkpoints if c.kind is kind), key=_step)

    def _has(self, step: int, kind: CheckpointKind) -> bool:
        return any(c.global_step == step for c in self._of_kind(kind))

    def _folder(self, step: int, kind: CheckpointKind) -> Path:
        return self._store.runs_dir / "checkpoints" / self._run.id / f"{step:06d}-{kind}"


def _step(checkpoint: Checkpoint) -> int:
    return checkpoint.global_step

"""Read a loss curve: divergence, lowest validation loss, overfitting."""

import math
from dataclasses import dataclass

from gpt_core.analysis.run_history import Numbers

DIVERGED = 0.05  # training stays this fraction of the validation loss below it
RISEN = 0.01  # validation exceeds its minimum by this fraction


@dataclass(frozen=True)
class Point:
    """One evaluation."""

    step: int
    epoch: int
    train_loss: float
    val_loss: float


@dataclass(frozen=True)
class CurveReading:
    """The key points of a run's loss curve."""

    first: Point
    last: Point
    best: Point  # the lowest validation loss
    divergence: Point | None  # from here on training stays clearly below validation
    is_overfitting: bool  # validation has risen since its minimum


def read_curve(evaluations: Numbers) -> CurveReading | None:
    """Return the key points of evaluations (N,), or None if there are none."""
    if not len(evaluations):
        return None

    def point(i: int) -> Point:
        step, epoch, _, train_loss, val_loss, _ = evaluations[i]
        return Point(int(step), int(epoch), float(train_loss), float(val_loss))

    train_losses, val_losses = evaluations["train_loss"], evaluations["val_loss"]  # (N,), (N,)
    together = (val_losses - train_losses <= DIVERGED * val_losses).nonzero()[0]
    divergence = int(together[-1]) + 1 if len(together) else 0
    best = int(val_losses.argmin())
    since = len(evaluations) - 1 - best
    return CurveReading(
        first=point(0),
        last=point(-1),
        best=point(best),
        divergence=point(divergence) if divergence < len(evaluations) else None,
        is_overfitting=since >= 2 and bool(val_losses[-1] > (1 + RISEN) * val_losses[best]),
    )


def describe_start(reading: CurveReading, vocab_size: int) -> str:
    """Return a sentence that compares the first evaluation with a uniform guess."""
    uniform, first = math.log(vocab_size), reading.first
    side = "below" if first.val_loss < uniform else "above"
    return (
        f"At step {first.step:,} validation is {first.val_loss:.3f}, {side} "
        f"ln({vocab_size:,}) = {uniform:.3f}, the loss of a uniform guess, which finds all "
        "tokens equally likely."
    )


def describe_curve(reading: CurveReading) -> str:
    """Return a sentence on divergence and overfitting, with the numbers."""
    part, best, last = reading.divergence, reading.best, reading.last
    if last.train_loss > reading.first.train_loss:
        return (
            f"Training is at {last.train_loss:.3f}, above the {reading.first.train_loss:.3f} that "
            "it began with: the model does not learn. A smaller learning_rate may help."
        )
    if part is None:
        return (
            f"Training ({last.train_loss:.3f}) and validation ({last.val_loss:.3f}) are still "
            "close: what the model learns also holds for text that it has not seen."
        )
    divergence = (
        f"The curves diverge at step {part.step:,} (epoch {part.epoch}: training "
        f"{part.train_loss:.3f}, validation {part.val_loss:.3f})"
    )
    if reading.is_overfitting:
        return (
            f"{divergence}; validation is lowest, {best.val_loss:.3f}, at step {best.step:,} "
            f"(epoch {best.epoch}) and has risen to {last.val_loss:.3f} since, while training fell "
            f"to {last.train_loss:.3f}: from there on the model learns this text by heart."
        )
    return (
        f"{divergence}; validation has fallen to {best.val_loss:.3f} at step {best.step:,} "
        f"(epoch {best.epoch}) and has not clearly risen yet; training is at "
        f"{last.train_loss:.3f}."
    )

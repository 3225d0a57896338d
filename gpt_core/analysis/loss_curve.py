"""Read a loss curve: divergence, lowest validation loss, overfitting."""

import math
from dataclasses import dataclass

from gpt_core.analysis.run_history import Numbers

FEWEST = 4  # evaluations: fewer say nothing about a trend
DIVERGED = 0.05  # training stays this fraction of the validation loss below it
RISEN = 0.01  # a validation loss exceeds its minimum by this fraction
FALLEN = 0.01  # a loss is this fraction below the first
RISEN_AGAIN = 0.1  # a training loss exceeds its minimum by this fraction
BY_HEART = 0.5  # of a sample's tokens are copied from the training text


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

    evaluations: int
    first: Point
    last: Point
    best: Point  # the lowest validation loss
    lowest: Point  # the lowest training loss
    divergence: Point | None  # from here on training stays clearly below validation
    is_overfitting: bool  # they diverge, and validation has risen since its minimum, training not


def read_curve(evaluations: Numbers) -> CurveReading | None:
    """Return the key points of evaluations (N,), or None if there are none."""
    if not len(evaluations):
        return None

    def point(i: int) -> Point:
        row = evaluations[i]
        losses = (float(row["train_loss"]), float(row["val_loss"]))
        return Point(int(row["global_step"]), int(row["epoch"]), *losses)

    train_losses, val_losses = evaluations["train_loss"], evaluations["val_loss"]  # (N,), (N,)
    together = (val_losses - train_losses <= DIVERGED * val_losses).nonzero()[0]
    divergence = int(together[-1]) + 1 if len(together) else 0
    best = int(val_losses.argmin())
    has_diverged = divergence < len(evaluations)
    has_turned = best <= len(evaluations) - 3 and val_losses[-1] > (1 + RISEN) * val_losses[best]
    return CurveReading(
        evaluations=len(evaluations),
        first=point(0),
        last=point(-1),
        best=point(best),
        lowest=point(int(train_losses.argmin())),
        divergence=point(divergence) if has_diverged else None,
        is_overfitting=bool(has_diverged and has_turned and train_losses[-1] < train_losses[best]),
    )


def describe_start(reading: CurveReading, vocab_size: int) -> str:
    """Return a sentence that compares the first evaluation with a uniform guess."""
    uniform, first = math.log(vocab_size), reading.first
    side = "below" if first.val_loss < uniform else "above"
    when = "After the first update, step 0," if first.step == 0 else f"At step {first.step:,}"
    return (
        f"{when} validation is {first.val_loss:.3f}, {side} "
        f"ln({vocab_size:,}) = {uniform:.3f}, the loss of a uniform guess, which finds all "
        "tokens equally likely."
    )


def describe_curve(reading: CurveReading, copied: float | None = None) -> str:
    """Return in words what the curve shows, with the numbers; "" while it is too early to say.

    Args:
        reading: the curve.
        copied: the fraction, 0 to 1, of the last sample that is copied from the training text;
            None if it is not known. Only with it does the text say "by heart".
    """
    if reading.evaluations < FEWEST:
        return ""
    first, last, lowest = reading.first, reading.last, reading.lowest
    if last.train_loss > first.train_loss:
        return (
            f"Training is at {last.train_loss:.3f}, above the {first.train_loss:.3f} that it began "
            "with: so far training has made the model worse. A smaller learning_rate may help."
        )
    if last.train_loss > (1 + RISEN_AGAIN) * lowest.train_loss:
        return (
            f"Training has risen again, to {last.train_loss:.3f} from {lowest.train_loss:.3f} at "
            f"step {lowest.step:,}. If it keeps rising, a smaller learning_rate may help."
        )
    if reading.divergence is not None:
        return _describe_divergence(reading, reading.divergence, copied)
    falls = last.train_loss < (1 - FALLEN) * first.train_loss
    if falls and last.val_loss < (1 - FALLEN) * first.val_loss:
        return (
            f"Both losses have fallen together so far (training {last.train_loss:.3f}, validation "
            f"{last.val_loss:.3f}): no sign of overfitting yet."
        )
    return (
        f"The losses have not both fallen clearly yet: training went from {first.train_loss:.3f} "
        f"to {last.train_loss:.3f}, validation from {first.val_loss:.3f} to {last.val_loss:.3f}."
    )


def _describe_divergence(reading: CurveReading, divergence: Point, copied: float | None) -> str:
    """Return in words how the two losses differ from the divergence on."""
    first, best, last = reading.first, reading.best, reading.last
    gap = (
        f"Training has been clearly below validation since step {divergence.step:,} (epoch "
        f"{divergence.epoch}: {divergence.train_loss:.3f} and {divergence.val_loss:.3f})"
    )
    if divergence == first:
        gap = f"Training has been clearly below validation since step {first.step:,}"
    if reading.is_overfitting:
        by_heart = ""
        if copied is not None and copied >= BY_HEART:
            by_heart = (
                f" It has learnt passages by heart: {copied:.0%} of its last sample is copied from "
                "the training text."
            )
        return (
            f"The model overfits since step {best.step:,} (epoch {best.epoch}): there validation "
            f"was lowest, {best.val_loss:.3f}, and it has risen to {last.val_loss:.3f} since, "
            f"while training fell to {last.train_loss:.3f}. {gap}.{by_heart}"
        )
    if best == first:
        return (
            f"{gap}; validation has not fallen below the {first.val_loss:.3f} that it began with; "
            f"training is at {last.train_loss:.3f}."
        )
    since = "" if best == last else " and has not clearly risen since"
    return (
        f"{gap}; validation has fallen to {best.val_loss:.3f} at step {best.step:,} "
        f"(epoch {best.epoch}){since}; training is at {last.train_loss:.3f}."
    )

"""What a training run yields: small frozen facts, made of Python's own numbers and text.

No tensors: a record can be stored, sent and kept without holding a model alive. The
counting is the book's: ``global_step`` is 0 after the first optimizer update, and
``epoch`` starts at 1.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class StepRecord:
    """One optimizer update: its batch's loss, and the norm of all its gradients together."""

    global_step: int
    epoch: int
    tokens_seen: int
    loss: float  # over its batches, dropout on
    grad_norm: float  # before it is clipped
    learning_rate: float


@dataclass(frozen=True)
class EvaluationRecord:
    """Mean loss over up to ``eval_iter`` batches of each split, dropout off."""

    global_step: int
    epoch: int
    tokens_seen: int
    train_loss: float
    val_loss: float


@dataclass(frozen=True)
class SampleRecord:
    """A text the model wrote when asked to go on from ``start_context``."""

    global_step: int
    epoch: int
    tokens_seen: int
    start_context: str
    text: str
    # Runs of its tokens that stand verbatim in the training text, from one to before the other:
    # measured by who holds that text (memorisation.py).
    copied: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True)
class ProbeRecord:
    """What the model makes of one fixed row of text at an evaluation, dropout off."""

    global_step: int
    epoch: int
    tokens_seen: int
    probe: int  # which of the configuration's probes, counted from 0
    loss: float
    target_probas: tuple[float, ...]  # p11, p12, …: the probability of each right token
    predicted_ids: tuple[int, ...]  # the most probable token in each one's place


@dataclass(frozen=True)
class UpdateRecord:
    """One update looked at closely, when somebody asked for a single step."""

    global_step: int
    epoch: int
    tokens_seen: int
    learning_rate: float
    loss_before: float  # over the update's own batches, dropout off
    loss_after: float
    grad_norm: float  # of all gradients together, before they are clipped
    grad_norms: tuple[tuple[str, float], ...]  # by part of the model, clipped if they are
    changes: tuple[tuple[str, float], ...]  # by part: norm of the change over norm of the weights
    largest_change: float  # of a single weight
    largest_change_in: str  # the name of its parameter


Record = StepRecord | EvaluationRecord | SampleRecord | ProbeRecord | UpdateRecord

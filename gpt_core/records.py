"""What a training run yields: small frozen records of plain Python numbers and text.

They hold no tensors, so a record can be stored and sent without keeping a model in
memory. They count as the book does: ``global_step`` is 0 after the first optimizer
update, and ``epoch`` starts at 1.
"""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class StepRecord:
    """One optimizer update: the loss of its batches, and the norm of all gradients together."""

    global_step: int
    epoch: int
    tokens_seen: int
    loss: float  # mean over its batches, dropout on
    grad_norm: float  # before clipping
    learning_rate: float


@dataclass(frozen=True)
class EvaluationRecord:
    """How well the model predicts up to ``eval_iter`` batches of each split, dropout off.

    What was recorded before 0.3.0 has losses only.
    """

    global_step: int
    epoch: int
    tokens_seen: int
    train_loss: float  # mean over the batches, in nats per token
    val_loss: float
    train_bits_per_byte: float | None = None  # of the UTF-8 text that was predicted
    val_bits_per_byte: float | None = None
    train_accuracy: float | None = None  # fraction of tokens that were found the most probable
    val_accuracy: float | None = None
    exact_match: float | None = None  # fraction of whole answers that are right, in a text of tasks


@dataclass(frozen=True)
class SampleRecord:
    """A text that the model generated to continue ``start_context``."""

    global_step: int
    epoch: int
    tokens_seen: int
    start_context: str
    text: str
    # (start, end) of its spans of tokens that occur verbatim in the training text, end excluded.
    # analysis/memorization.py finds them; the training loop leaves None.
    copied: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True)
class ProbeRecord:
    """What the model predicts for one fixed row of text at an evaluation, dropout off."""

    global_step: int
    epoch: int
    tokens_seen: int
    probe: int  # index in the configuration's probes
    loss: float
    target_probas: tuple[float, ...]  # p11, p12, …: the probability of each right token
    predicted_ids: tuple[int, ...]  # the most probable token at each position


@dataclass(frozen=True)
class UpdateRecord:
    """The details of one update, recorded when a single step is requested."""

    global_step: int
    epoch: int
    tokens_seen: int
    learning_rate: float
    loss_before: float  # mean over the update's own batches, dropout off
    loss_after: float
    grad_norm: float  # of all gradients together, before clipping
    grad_norms: tuple[tuple[str, float], ...]  # by part of the model, after any clipping
    changes: tuple[tuple[str, float], ...]  # by part: norm of the change over norm of the weights
    largest_change: float  # of a single weight
    largest_change_in: str  # the name of its parameter


class Bins(NamedTuple):
    """A histogram: how many values lie in each of the bins of equal width from low to high."""

    low: float
    high: float
    counts: tuple[int, ...]  # (bins,)


class PartNumbers(NamedTuple):
    """What training does to one part of the model; None is what is not known."""

    name: str  # as in the model: "tok_emb", "trf_blocks.0.att"
    weights: Bins
    gradients: Bins | None  # after any clipping
    updates: Bins | None  # of the last update
    update_to_weight: float | None  # the update's norm divided by the weights'


@dataclass(frozen=True)
class InsideRecord:
    """What is inside the model at an evaluation: how it reads one probe, and how its parts learn.

    T is the number of the probe's tokens that are read, k that of the tokens kept by the lens.
    """

    global_step: int
    epoch: int
    tokens_seen: int
    token_ids: tuple[int, ...]  # (T + 1,): the last one is only a target
    attention: bytes  # float16, little-endian: (n_layers, n_heads, T, T)
    best_ids: tuple[tuple[tuple[int, ...], ...], ...]  # (n_layers, T, k), by the logit lens
    best_probas: tuple[tuple[tuple[float, ...], ...], ...]  # (n_layers, T, k)
    target_probas: tuple[tuple[float, ...], ...]  # (n_layers, T)
    # The name of each head score and its values (n_layers, n_heads); () in a model too small.
    head_scores: tuple[tuple[str, tuple[tuple[float, ...], ...]], ...]
    parts: tuple[PartNumbers, ...]
    stream_norms: tuple[float, ...]  # (n_layers + 1,), after the embedding and each block
    silent_units: tuple[float, ...]  # (n_layers,): the fraction of units that never fire


Record = StepRecord | EvaluationRecord | SampleRecord | ProbeRecord | UpdateRecord | InsideRecord

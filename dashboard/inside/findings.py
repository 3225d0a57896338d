"""What a model does with a text: computed once while the two stay the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from dashboard.app import remember
from dashboard.inside.reading import Reading
from gpt_core.inspection import (
    HeadScores,
    LensSummary,
    ResidualStream,
    ablate,
    attention_weights,
    head_scores,
    lens_summary,
    residual_stream,
    trace,
)
from gpt_core.model import GPTModel

BEST = 5  # tokens kept for each position
MAX_FINDINGS = 1  # texts whose findings are kept for each model: 20 MB for 128 tokens of the 124M
MAX_EFFECTS = 32  # choices of parts whose effect is kept


@dataclass(frozen=True)
class Effect:
    """What a model predicts, all parts on or some of them off."""

    loss: float  # the mean over the positions that have a next token, in nats per token
    target_probas: Tensor  # (T,)
    best_ids: Tensor  # (T, BEST)
    best_probas: Tensor  # (T, BEST)


@dataclass(frozen=True)
class Findings:
    """What a model does with a text of T tokens."""

    ids: Tensor  # (1, T)
    stream: ResidualStream
    added: Tensor  # (n_layers, 2, T), the norm of what attention and feed-forward add
    lens: LensSummary  # with the BEST tokens
    queries: Tensor  # (n_layers, n_heads, T, head_dim)
    keys: Tensor  # (n_layers, n_heads, T, head_dim)
    weights: Tensor  # (n_layers, n_heads, T, T)
    scores: HeadScores | None  # None if the model is too small to be measured

    @property
    def targets(self) -> Tensor:
        """Return the targets (T,): the next tokens, at the end the model's own choice."""
        return self.lens.targets

    @property
    def whole(self) -> Effect:
        """Return what the model predicts with all its parts."""
        lens = self.lens
        loss = -lens.target_probas[-1, :-1].log().mean().item()
        return Effect(loss, lens.target_probas[-1], lens.best_ids[-1], lens.best_probas[-1])


def find(reading: Reading) -> Findings:
    """Return what a model does with a text, from before if it is known.

    Raises:
        ValueError: the model cannot be looked into, or it would take too much memory.
    """
    look = partial(_look, reading.model, reading.ids)
    return remember(reading.model, "findings", _key(reading), look, MAX_FINDINGS)


def _look(model: GPTModel, ids: Tensor) -> Findings:
    """Compute what a model does with a text; its heads' scores are known from other texts."""
    traced = trace(model, ids)
    blocks = traced.blocks
    added = [torch.stack((b.attention, b.feed_forward)).norm(dim=-1) for b in blocks]  # (2, T)
    return Findings(
        ids,
        residual_stream(model, ids, traced=traced),
        torch.stack(added),
        lens_summary(model, ids, BEST, traced=traced),
        torch.stack([block.queries for block in blocks]),
        torch.stack([block.keys for block in blocks]),
        attention_weights(model, ids, traced=traced),
        remember(model, "head scores", (), partial(_scores, model)),
    )


def _scores(model: GPTModel) -> HeadScores | None:
    try:
        return head_scores(model)
    except ValueError:  # its context is too short
        return None


def effect_without(
    reading: Reading, found: Findings, parts: Sequence[str], replacement: str
) -> Effect:
    """Return what the model predicts when some of its parts are off.

    Raises:
        ValueError: the model has no such part.
    """

    def compute() -> Effect:
        done = ablate(reading.model, reading.ids, parts, replacement=replacement)
        best = done.probas.topk(found.lens.best_ids.shape[-1], dim=-1)  # (T, BEST)
        targets = done.probas.gather(-1, found.targets.unsqueeze(-1)).squeeze(-1)  # (T,)
        return Effect(done.loss, targets, best.indices, best.values)

    key = (_key(reading), *parts, replacement)
    return remember(reading.model, "effects", key, compute, MAX_EFFECTS)


def _key(reading: Reading) -> tuple[int, ...]:
    return tuple(reading.ids[0].tolist())

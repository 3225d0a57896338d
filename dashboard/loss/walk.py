"""The walk from rows of text to their loss: the rows, the logits, and each step."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from dashboard.charts import position_name
from dashboard.components.token_chips import Row, readable, readable_text
from dashboard.forms import DEFAULT_ROWS, parse_rows
from gpt_core.model import (
    GPTModel,
    LossWalkthrough,
    loss_in_one_call,
    loss_walkthrough,
    target_ranks,
)
from gpt_core.text import IGNORE_INDEX, rows_to_batch
from gpt_core.vocabularies import Tokenizer, read_vocabulary


@dataclass(frozen=True)
class Position:
    """A prediction task: its position, its target, and the model's answer."""

    row: int
    column: int
    name: str  # "11" of p11
    context: str  # the row up to here
    target_id: int
    predicted_id: int
    proba: float
    log_proba: float
    rank: int
    tokenizer: Tokenizer

    @property
    def target(self) -> str:
        """Return the target, with visible blanks."""
        return readable_token(self.target_id, self.tokenizer)

    @property
    def predicted(self) -> str:
        """Return the most probable token, with visible blanks."""
        return readable_token(self.predicted_id, self.tokenizer)


@dataclass(frozen=True)
class Walk:
    """The rows of a batch and every step to their loss."""

    inputs: Tensor  # (B, T)
    targets: Tensor  # (B, T)
    steps: LossWalkthrough
    one_call: float
    numbers: tuple[int, ...]  # of the rows, as they were entered
    tokenizer: Tokenizer  # the model's

    @cached_property
    def positions(self) -> list[Position]:
        """Return all tasks, row by row, without the padding of shorter rows."""
        ranks = target_ranks(self.steps.logits, self.targets)  # (B, T)
        rows, columns = self.targets.shape
        largest = max(*self.numbers, columns)
        return [
            Position(
                i,
                j,
                position_name(self.numbers[i], j + 1, largest),
                readable_text(self.inputs[i, : j + 1].tolist(), self.tokenizer),
                int(self.targets[i, j]),
                int(self.steps.predicted_ids[i, j]),
                self.steps.target_probas[i, j].item(),
                self.steps.log_probas[i, j].item(),
                int(ranks[i, j]),
                self.tokenizer,
            )
            for i in range(rows)
            for j in range(columns)
            if self.targets[i, j] != IGNORE_INDEX
        ]

    @cached_property
    def is_of_the_chapter(self) -> bool:
        """Tell whether these are the chapter's two rows, of which other notes have misprints."""
        inputs, targets = rows_to_batch(parse_rows(DEFAULT_ROWS))
        return torch.equal(self.inputs, inputs) and torch.equal(self.targets, targets)

    @property
    def loss(self) -> float:
        """Return the negative mean of the logarithms, in nats per token."""
        return self.steps.loss.item()

    def rows(self, heading: str) -> list[Row]:
        """Return a heading for the first position of each row."""
        starts = [i for i, position in enumerate(self.positions) if position.column == 0]
        return [
            Row(start, heading.format(i)) for i, start in zip(self.numbers, starts, strict=True)
        ]


def readable_token(token_id: int, tokenizer: Tokenizer) -> str:
    """Return a token as readable text, with visible blanks."""
    return readable(tokenizer.decode_single_token_bytes(token_id))


def compute_walk(model: GPTModel, rows: Mapping[int, Tensor]) -> Walk:
    """Compute the model's logits for the rows, by their numbers, and all steps to the loss.

    Raises:
        ValueError: a row is longer than the model's context.
    """
    inputs, targets = rows_to_batch([*rows.values()])  # (B, T), (B, T)
    steps = loss_walkthrough(model, inputs, targets)
    one_call = loss_in_one_call(steps.logits, targets).item()
    return Walk(inputs, targets, steps, one_call, tuple(rows), read_vocabulary(model.vocabulary))

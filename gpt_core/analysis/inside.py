"""What a run recorded of its model's inside: read once for all pages, and read in words."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gpt_core.config import GPTConfig
from gpt_core.records import Bins, InsideRecord, PartNumbers
from gpt_core.store import RunStore, StoredInside

# The update of a step, divided by the weights. A thousandth is usual (Karpathy, 2022, "Building
# makemore, part 3"); ten times more or less is no fault. Embeddings of tokens that a text does not
# have move by weight decay alone: a fault is a part that moves less than a tenth of that.
HEALTHY_UPDATES = (1e-4, 1e-2)
LEAST_UPDATE, GREATEST_UPDATE = 1e-5, 0.3
# Of the gradients of the first and the last block, the ratio of their sizes. Where training works
# they are of about the same size (Glorot & Bengio, 2010, section 4.2): here it was 0.2 to 14 in
# healthy models of 3 to 12 blocks, and 1e-3 to 1e-9 in 8 blocks without residual connections.
VANISHING, EXPLODING = 2e-3, 500.0
# The fraction of a feed-forward's units that fire at none of 64 tokens: up to 0.32 in these healthy
# models; about 0.5 where all tokens look alike, so that a unit fires at all of them or at none.
SILENT = 0.45
NAMED = 3  # parts that a sentence names; of more it gives the number
TELLING = 0.3  # a smaller score says nothing about a head
HABITS = {
    "induction": "looks at what followed the equal token",
    "previous": "looks at the token before",
    "same": "looks at the equal token",
    "first": "looks at the first token",
}


class TellingHead(NamedTuple):
    """The head whose habit says most about the model."""

    layer: int  # counted from 0
    head: int
    habit: str  # a name in the record's head_scores
    score: float  # 0 to 1


@dataclass
class InsideReader:
    """Read what a run records of its model's inside by cursor. Use it from one thread at a time."""

    run_id: str
    records: tuple[StoredInside, ...] = ()  # replaced as a whole: callers hold the old one

    def read_new(self, store: RunStore) -> tuple[StoredInside, ...]:
        """Return all that is recorded so far; the same object if nothing is new."""
        after = self.records[-1].id if self.records else 0
        new = store.records_since(self.run_id, ("inside",), {"inside": after}).inside
        if new:
            self.records = (*self.records, *new)
        return self.records


def attention_of(record: InsideRecord, config: GPTConfig) -> npt.NDArray[np.float16]:
    """Return the recorded attention weights, (n_layers, n_heads, T, T).

    Raises:
        ValueError: their number is not that of the model and the probe.
    """
    tokens = len(record.token_ids) - 1
    shape = (config.n_layers, config.n_heads, tokens, tokens)
    if len(record.attention) != 2 * math.prod(shape):
        raise ValueError(f"The attention recorded after step {record.global_step} is damaged.")
    return np.frombuffer(record.attention, "<f2").reshape(shape)


def part_numbers(record: InsideRecord) -> list[PartNumbers]:
    """Return the parts of a record, which a store gives back as plain tuples."""

    def bins(values: tuple[float, float, tuple[int, ...]] | None) -> Bins | None:
        return None if values is None else Bins(*values)

    return [
        PartNumbers(name, Bins(*weights), bins(gradients), bins(updates), ratio)
        for name, weights, gradients, updates, ratio in record.parts
    ]


def telling_head(record: InsideRecord) -> TellingHead:
    """Return the head with the highest induction score or, if none is telling, the one that most
    looks at the token before.
    """
    if not record.head_scores:
        return TellingHead(0, 0, "", 0.0)
    scores = {name: np.array(values) for name, values in record.head_scores}
    habit = "induction" if scores["induction"].max() >= TELLING else "previous"
    layer, head = divmod(int(scores[habit].argmax()), scores[habit].shape[1])
    return TellingHead(layer, head, habit, float(scores[habit].max()))


def describe_head(record: InsideRecord, layer: int, head: int) -> str:
    """Return what a head looks at, with its score, or "" if it has no telling habit."""
    return describe_habit({name: values[layer][head] for name, values in record.head_scores})


def describe_habit(scores: Mapping[str, float]) -> str:
    """Return the habit with the highest score of a head, or "" if none is telling."""
    best = max(scores, key=lambda name: scores[name], default="")
    return f"{HABITS[best]}, {scores[best]:.2f}" if best and scores[best] >= TELLING else ""


def size_of(values: Bins) -> float:
    """Return the root mean square of a histogram's values, as exact as its bins."""
    counts = np.array(values.counts, float)
    middles = np.linspace(values.low, values.high, 2 * len(counts) + 1)[1::2]
    return float(np.sqrt((counts * middles**2).sum() / max(counts.sum(), 1)))


def describe_faults(record: InsideRecord, learning_rate_fraction: float = 1.0) -> list[str]:
    """Return, in words, what is wrong with how the parts learn; empty if nothing is.

    Args:
        record: the moment.
        learning_rate_fraction: the learning rate there, divided by the run's highest: in a warm-up
            and at the end of a decay all updates are small, and that is no fault.
    """
    parts = [part for part in part_numbers(record) if "norm" not in part.name]
    said = _describe_gradients(parts)
    ratios = {p.name: p.update_to_weight for p in parts if p.update_to_weight is not None}
    still = {n: r for n, r in ratios.items() if r < LEAST_UPDATE * learning_rate_fraction}
    jumping = {name: ratio for name, ratio in ratios.items() if ratio > GREATEST_UPDATE}
    if still:
        said.append(
            f"Does not learn: {_named(list(still))}. The last update was {max(still.values()):.1g} "
            "of the weights at most, and about a thousandth is usual."
        )
    if jumping:
        said.append(
            f"Jumps: {_named(list(jumping))}. The last update was up to "
            f"{max(jumping.values()):.0%} of the weights, and about a thousandth is usual: a "
            "smaller learning rate would help."
        )
    silent = {f"block {i}": x for i, x in enumerate(record.silent_units) if x > SILENT}
    if silent:
        said.append(
            f"Dead units: {_named(list(silent))}. Up to {max(silent.values()):.0%} of a "
            "feed-forward's units fire at no token of a row of the training text."
        )
    return said


def _describe_gradients(parts: list[PartNumbers]) -> list[str]:
    """Say whether gradients vanish or explode on their way back through the blocks."""
    sizes = [
        (part.name, size_of(part.gradients))
        for part in parts
        if part.gradients and part.name.endswith((".att", ".ff"))
    ]
    if len(sizes) < 2 or not sizes[0][1] or not sizes[-1][1]:
        return []
    (first, first_size), (last, last_size) = sizes[0], sizes[-1]
    ratio = first_size / last_size
    if VANISHING <= ratio <= EXPLODING:
        return []
    word, comparison = ("Vanishing", "smaller") if ratio < 1 else ("Exploding", "larger")
    return [
        f"{word} gradients: those of {first} are {max(ratio, 1 / ratio):,.0f} times {comparison} "
        f"than those of {last}, on their way back through the blocks."
    ]


def _named(names: list[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")

"""What a run recorded of its model's inside: read once for all pages, and read in words."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gpt_core.config import GPTConfig
from gpt_core.records import Bins, InsideRecord, PartNumbers
from gpt_core.store import RunStore, StoredInside

# The update of a step, divided by the weights. A thousandth is usual (Karpathy, 2022, "Building
# makemore, part 3"); a factor of ten from there is not yet a fault, a factor of a hundred is.
USUAL_UPDATE = 1e-3
HEALTHY_UPDATES = (1e-4, 1e-2)
LEAST_UPDATE, GREATEST_UPDATE = 1e-5, 1e-1
# Of the gradients of two blocks, the ratio of their sizes. Where training works, all layers' are of
# about the same size (Glorot & Bengio, 2010, section 4.2).
VANISHING, EXPLODING = 1e-3, 1e3
SILENT = 0.5  # of a feed-forward's units: fewer are silent by chance on a row this short
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
    found = {name: values[layer][head] for name, values in record.head_scores}
    best = max(found, key=lambda name: found[name], default="")
    return f"{HABITS[best]}, {found[best]:.2f}" if best and found[best] >= TELLING else ""


def size_of(values: Bins) -> float:
    """Return the root mean square of a histogram's values, as exact as its bins."""
    counts = np.array(values.counts, float)
    middles = np.linspace(values.low, values.high, 2 * len(counts) + 1)[1::2]
    return float(np.sqrt((counts * middles**2).sum() / max(counts.sum(), 1)))


def describe_faults(record: InsideRecord) -> list[str]:
    """Return, in words, what is wrong with how the parts learn; empty if nothing is."""
    parts, said = part_numbers(record), []
    blocks = [part for part in parts if part.name.endswith((".att", ".ff"))]
    sizes = [(part.name, size_of(part.gradients)) for part in blocks if part.gradients]
    if len(sizes) > 1 and sizes[-1][1] > 0:
        (first, first_size), (last, last_size) = sizes[0], sizes[-1]
        ratio = first_size / last_size
        if ratio < VANISHING:
            said.append(
                f"Vanishing gradients: those of {first} are {1 / max(ratio, 1e-12):,.0f} times "
                f"smaller than those of {last}. On their way back through the blocks they are lost."
            )
        elif ratio > EXPLODING:
            said.append(
                f"Exploding gradients: those of {first} are {ratio:,.0f} times larger than those "
                f"of {last}. They grow on their way back through the blocks."
            )
    for part in parts:
        if part.update_to_weight is None or ".norm" in part.name or part.name == "final_norm":
            continue
        if part.update_to_weight < LEAST_UPDATE:
            said.append(
                f"{part.name} does not learn: its last update was {part.update_to_weight:.1g} of "
                f"its weights, and {USUAL_UPDATE:g} is usual."
            )
        elif part.update_to_weight > GREATEST_UPDATE:
            said.append(
                f"{part.name} jumps: its last update was {part.update_to_weight:.1g} of its "
                f"weights, and {USUAL_UPDATE:g} is usual. A smaller learning rate would help."
            )
    for layer, silent in enumerate(record.silent_units):
        if silent > SILENT:
            said.append(
                f"Dead units: {silent:.0%} of the feed-forward's in block {layer} do not fire at "
                "any token of a row of the training text."
            )
    return said

"""A record of a model's inside, made up."""

import numpy as np

from gpt_core.records import Bins, InsideRecord, PartNumbers
from tests.conftest import TINY


def inside_record(step: int = 0, tokens: int = 3, induction: float = 0.25) -> InsideRecord:
    """Return a record of the tiny model: each token looks at all before it alike."""
    layers, heads = TINY.n_layers, TINY.n_heads
    even = np.tril(np.ones((tokens, tokens))) / np.arange(1, tokens + 1)[:, None]  # (T, T)
    attention = np.broadcast_to(even, (layers, heads, tokens, tokens)).astype("<f2")
    low = tuple((0.0,) * heads for _ in range(layers))
    high = (*low[1:], (induction,) + (0.0,) * (heads - 1))  # the last layer's first head
    bins = Bins(-1.0, 1.0, tuple(range(40)))
    names = ("tok_emb", "trf_blocks.0.att", "trf_blocks.1.att", "out_head")
    return InsideRecord(
        step,
        epoch=1,
        tokens_seen=8 * (step + 1),
        token_ids=tuple(range(11, 12 + tokens)),
        attention=attention.tobytes(),
        best_ids=(((1, 2, 3),) * tokens,) * layers,
        best_probas=(((0.5, 0.25, 0.125),) * tokens,) * layers,
        target_probas=((0.25,) * tokens,) * layers,
        head_scores=tuple(
            (name, high if name == "induction" else low)
            for name in ("previous", "first", "same", "induction")
        ),
        parts=tuple(PartNumbers(name, bins, bins, bins, 0.001) for name in names),
        stream_norms=(1.0, 2.0, 3.0),
        silent_units=(0.0, 0.125),
    )

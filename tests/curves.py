"""Evaluations made from printed losses, as a run's history holds them."""

import numpy as np

from gpt_core.history import EVALUATION_COLUMNS, Numbers

STEPS_PER_EPOCH = 9  # of the chapter's run


def evaluations(losses: dict[int, tuple[float, float]]) -> Numbers:
    rows = [
        (step, step // STEPS_PER_EPOCH + 1, 512 * (step + 1), train, val, 4.0 * step)
        for step, (train, val) in losses.items()
    ]
    return np.array(rows, dtype=[(name, np.float64) for name in EVALUATION_COLUMNS])

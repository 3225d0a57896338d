"""Printed losses as evaluations: in a history, and in a store."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from gpt_core.analysis import Numbers
from gpt_core.analysis.run_history import EVALUATION_COLUMNS
from gpt_core.config import TrainingConfig
from gpt_core.presets import GPT_CONFIG_124M
from gpt_core.records import EvaluationRecord
from gpt_core.store import RunState, RunStore
from gpt_core.text import VERDICT_SHA256

STEPS_PER_EPOCH = 9  # of the chapter's run


def evaluations(losses: dict[int, tuple[float, float]]) -> Numbers:
    nan = math.nan  # what is not printed
    rows = [
        (step, step // STEPS_PER_EPOCH + 1, 512 * (step + 1), train, val, *5 * [nan], 4.0 * step)
        for step, (train, val) in losses.items()
    ]
    return np.array(rows, dtype=[(name, np.float64) for name in EVALUATION_COLUMNS])


def keep_chapter_run(
    store: RunStore, run_id: str, losses: dict[int, tuple[float, float]], **changes: Any
) -> None:
    """Write down a finished run of the chapter's model, with these evaluations."""
    store.add_run(
        run_id,
        "ada",
        "book-124m",
        GPT_CONFIG_124M,
        replace(TrainingConfig(), **changes),
        "The Verdict",
        VERDICT_SHA256,
        4612,
        533,
        90,
        {"machine": "x86_64 AVX512", "torch": "2.13.0+cpu"},
    )
    rows = [
        (EvaluationRecord(step, step // STEPS_PER_EPOCH + 1, 512 * (step + 1), *pair), 4.0 * step)
        for step, pair in losses.items()
    ]
    store.add_records(run_id, rows)
    store.set_state(run_id, RunState.FINISHED, "ada")

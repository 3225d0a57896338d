"""What a run records of its model's inside, and after which evaluations.

The text that the model reads for it is the run's last probe: a line of the training text. What is
recorded where follows from the settings and the number of steps alone, never from a clock.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.inspection import (
    Histogram,
    TensorStatistics,
    attention_weights,
    head_scores,
    lens_summary,
    tensor_statistics,
    trace,
)
from gpt_core.model import GPTModel, count_config_parameters, count_looked_up
from gpt_core.records import Bins, InsideRecord, PartNumbers, Record
from gpt_core.text import Batch
from gpt_core.training.lr_schedule import steps_in_run
from gpt_core.training.state import TrainingState
from gpt_core.vocabularies import Tokenizer, text_to_token_ids

MAX_RECORDINGS = 40  # of a run
MIN_RECORDINGS = 4  # fewer show no development
MAX_TOKENS = 32  # of the probe
MAX_BYTES = 64 * 2**20  # of all recordings of a run
WINDOW_TOKENS = 64  # of the training text, on which silent units are counted
BEST_TOKENS = 3  # that the lens keeps
MAX_VALUES = 2**13  # of a part that stand for all of its values in a histogram
REPEATED_TOKENS = 64  # that head_scores reads

# All recordings together take at most this fraction of a run, or of a minute if it is shorter. Time
# is counted in operations, two for each weight and token, at the speed of a training step. That is
# the same on each machine: equal runs record after equal steps. The factors make the count right
# for models from 30,000 to 124 million parameters (docs/LOG.md, issue O).
MAX_FRACTION = 0.02
MINUTE = 1.2e12  # operations: on a slow machine, a minute's
FEW_ROWS = 3.5  # a product of few tokens only reads the weights once, and takes so much longer
FIXED_STEP, FIXED_RECORDING = 0.5e9, 1e9  # the time in which operations are only begun
GPU_SPEED, BFLOAT16_SPEED = 1_000, 3  # how much faster operations are there; not their beginning


@dataclass(frozen=True)
class InsidePlan:
    """After which steps a run records its model's inside, and on which text."""

    steps: frozenset[int] = frozenset()
    ids: tuple[int, ...] = ()  # (T + 1,) of the probe: T that are read and the last one's target
    reason: str = ""  # why nothing is recorded, as a sentence


def plan_inside(
    model_config: GPTConfig, config: TrainingConfig, total_steps: int, tokenizer: Tokenizer
) -> InsidePlan:
    """Return after which steps of a run its model's inside is recorded: evaluations all of them."""
    if not config.record_inside:
        return InsidePlan(reason="It was not asked for: the setting record_inside is off.")
    ids = text_to_token_ids(config.probes[-1], tokenizer)[0] if config.probes else torch.empty(0)
    tokens = min(len(ids) - 1, MAX_TOKENS, model_config.context_length)
    if tokens < 1:
        return InsidePlan(reason="The run has no probe of two tokens or more.")
    while tokens > 1 and MAX_BYTES // recording_bytes(model_config, tokens) < MIN_RECORDINGS:
        tokens //= 2
    fitting = MAX_BYTES // recording_bytes(model_config, tokens)
    if fitting < MIN_RECORDINGS:
        size = recording_bytes(model_config, tokens) / 2**20
        return InsidePlan(
            reason=f"The model has too many heads and layers: each time would take {size:,.0f} MB, "
            f"and a run records {MAX_BYTES // 2**20} MB at most."
        )
    affordable = affordable_recordings(model_config, config, total_steps, tokens)
    if affordable < 1:
        return InsidePlan(reason="The run has too few steps: it would have been slowed down.")
    evaluations = -(-total_steps // config.eval_freq)
    chosen = spread(min(MAX_RECORDINGS, fitting, affordable), evaluations)
    steps = frozenset(number * config.eval_freq for number in chosen)
    return InsidePlan(steps, tuple(ids[: tokens + 1].tolist()))


def spread(count: int, evaluations: int) -> list[int]:
    """Choose some of a run's evaluations, counted from 0: the first, the last, most of them early.

    A model changes most at the beginning: each place is further from the one before by about the
    same factor, but by one at least.
    """
    places = [1]
    while len(places) < min(count, evaluations):
        left = min(count, evaluations) - len(places)
        factor = (evaluations / places[-1]) ** (1 / left)
        places.append(max(places[-1] + 1, round(places[-1] * factor)))
    return [place - 1 for place in places]


def recording_bytes(config: GPTConfig, tokens: int) -> int:
    """Return the maximum size of one recording on so many tokens."""
    attention = 2 * config.n_layers * config.n_heads * tokens**2
    # As JSON: a number has up to 12 characters, a token ID 7, a count in a histogram 7.
    lens = config.n_layers * tokens * (BEST_TOKENS * (7 + 12) + 12 + 8) + 7 * (tokens + 1)
    scores = 4 * config.n_layers * (12 * config.n_heads + 8)
    parts = (4 * config.n_layers + 4) * (3 * (40 * 7 + 40) + 60)
    return attention + lens + scores + parts + 40 * config.n_layers + 500


def affordable_recordings(
    model_config: GPTConfig, config: TrainingConfig, total_steps: int, tokens: int
) -> int:
    """Return how many recordings take at most ``MAX_FRACTION`` of the run's operations."""
    speed = GPU_SPEED if config.device in ("cuda", "mps") else 1
    faster = BFLOAT16_SPEED if config.precision == "bfloat16" else 1
    products = count_config_parameters(model_config) - count_looked_up(model_config)
    head = model_config.vocab_size * model_config.emb_dim
    read = config.batch_size * config.accumulation_steps * model_config.context_length
    step = 6 * products * read / faster + FIXED_STEP * speed  # forward, and twice that backward
    in_blocks = tokens + REPEATED_TOKENS + min(WINDOW_TOKENS, model_config.context_length)
    in_heads = (model_config.n_layers + 1) * tokens
    products_recorded = 2 * ((products - head) * in_blocks + head * in_heads)
    recording = FEW_ROWS * products_recorded + FIXED_RECORDING * speed
    return int(MAX_FRACTION * max(total_steps * step, MINUTE) // recording)


class InsideRecorder:
    """Record the inside of a model in training after the planned evaluations.

    It draws nothing random and changes nothing: the run gives the same losses without it.

    Args:
        model: the model in training.
        optimizer: its optimizer, whose state tells what the last update was.
        train_loader: the run's batches; they are not drawn from.
        tokenizer: for the probe.
        config: the run's settings.
    """

    def __init__(
        self,
        model: GPTModel,
        optimizer: Optimizer,
        train_loader: DataLoader[Batch],
        tokenizer: Tokenizer,
        config: TrainingConfig,
    ) -> None:
        total_steps = steps_in_run(len(train_loader), config)
        self.plan = plan_inside(model.config, config, total_steps, tokenizer)
        self._model = model
        self._optimizer = optimizer
        self._train_loader = train_loader

    def records(self, state: TrainingState) -> list[Record]:
        """Return a record of the model's inside if one is planned after this step, else none."""
        if state.global_step not in self.plan.steps:
            return []
        device = self._model.tok_emb.weight.device
        ids = torch.tensor([self.plan.ids], device=device)  # (1, T + 1)
        inputs, _ = self._train_loader.dataset[0]  # (context_length,)
        window = inputs[:WINDOW_TOKENS].long().unsqueeze(0).to(device)  # (1, up to 64)
        self._model.eval()
        record = read_inside(self._model, self._optimizer, ids, window, state)
        self._model.train()
        return [record]


def read_inside(
    model: GPTModel, optimizer: Optimizer, ids: Tensor, window: Tensor, state: TrainingState
) -> InsideRecord:
    """Return what is inside a model, always in float32, as the probes.

    Args:
        model: in eval mode.
        optimizer: in the state after its last update.
        ids: the probe's tokens and the last one's target, (1, T + 1).
        window: a row of the training text, (1, tokens).
        state: where the run is.
    """
    inputs, targets = ids[:, :-1], ids[0, 1:]  # (1, T), (T,)
    traced = trace(model, inputs)
    weights = attention_weights(model, inputs, traced=traced)  # (n_layers, n_heads, T, T)
    lens = lens_summary(model, inputs, BEST_TOKENS, targets=targets, traced=traced)
    statistics = tensor_statistics(model, optimizer, window, max_values=MAX_VALUES)
    can_repeat = min(model.config.context_length // 2, model.config.vocab_size) >= 2
    scores = vars(head_scores(model)) if can_repeat else {}
    assert statistics.stream_norms is not None
    assert statistics.silent_units is not None
    return InsideRecord(
        state.global_step,
        state.epoch,
        state.tokens_seen,
        token_ids=tuple(ids[0].tolist()),
        attention=weights.cpu().numpy().astype("<f2").tobytes(),
        best_ids=_tuples(lens.best_ids.tolist()),
        best_probas=_tuples(lens.best_probas.tolist()),
        target_probas=_tuples(lens.target_probas.tolist()),
        head_scores=tuple((name, _tuples(value.tolist())) for name, value in scores.items()),
        parts=_parts(statistics),
        stream_norms=_tuples(statistics.stream_norms.tolist()),
        silent_units=_tuples(statistics.silent_units.tolist()),
    )


def _parts(statistics: TensorStatistics) -> tuple[PartNumbers, ...]:
    return tuple(
        PartNumbers(
            part.name,
            _bins(part.weights),
            _bins(part.gradients) if part.gradients else None,
            _bins(part.updates) if part.updates else None,
            None if part.update_to_weight is None else _rounded(part.update_to_weight),
        )
        for part in statistics.parts
    )


def _bins(histogram: Histogram) -> Bins:
    counts = tuple(histogram.counts.tolist())
    return Bins(_rounded(histogram.low), _rounded(histogram.high), counts)


def _tuples(nested: list[Any]) -> tuple[Any, ...]:
    """Return nested lists as nested tuples, their numbers with four digits: more cannot be seen."""
    return tuple(_tuples(item) if isinstance(item, list) else _rounded(item) for item in nested)


def _rounded(number: float) -> float:
    """Return a number with four significant digits; a whole number as it is."""
    return number if isinstance(number, int) else float(f"{number:.4g}")

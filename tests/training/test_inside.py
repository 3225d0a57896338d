"""What a run records of its model's inside: where, how much, and that no loss changes by it."""

import json
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_core.analysis import attention_of
from gpt_core.config import GPTConfig, TrainingConfig, as_settings
from gpt_core.inspection import attention_weights, lens_summary
from gpt_core.model import GPTModel
from gpt_core.presets import PRESETS
from gpt_core.records import EvaluationRecord, InsideRecord, Record
from gpt_core.text import load_text
from gpt_core.training import (
    create_optimizer,
    fit_vocabulary,
    plan_inside,
    prepare_data,
    train,
)
from gpt_core.training.inside import (
    MAX_BYTES,
    MAX_RECORDINGS,
    affordable_recordings,
    recording_bytes,
    spread,
)
from gpt_core.vocabularies import Tokenizer
from tests.conftest import TINY, TINY_TRAINING

LINE = "one, two, three"
RECORDED = replace(
    TINY_TRAINING, vocabulary="characters", record_inside=True, probes=("every effort", LINE)
)


TEXT = load_text("counting").text


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """The tokenizer of a vocabulary so small that a run takes no time."""
    return fit_vocabulary(TEXT, TINY, RECORDED).tokenizer


def trained(
    tokenizer: Tokenizer, config: TrainingConfig, model_config: GPTConfig = TINY
) -> tuple[GPTModel, list[Record]]:
    model_config = replace(model_config, vocab_size=tokenizer.n_vocab)
    data = prepare_data(TEXT[:1_500], tokenizer, model_config, config)
    torch.manual_seed(config.seed)
    model = GPTModel(model_config)
    optimizer = create_optimizer(model, config)
    loaders = (data.train_loader, data.val_loader)
    return model, list(train(model, *loaders, optimizer, tokenizer, config))


@pytest.mark.parametrize("changes", [{}, {"precision": "bfloat16"}, {"optimizer": "muon"}])
def test_recording_the_inside_changes_no_digit(changes: dict, tokenizer: Tokenizer) -> None:
    """Losses, gradient norms, probes and samples, with dropout on and a generator shared by all."""
    _, without = trained(tokenizer, replace(RECORDED, record_inside=False, **changes))
    state = torch.get_rng_state()
    model, recorded = trained(tokenizer, replace(RECORDED, **changes))
    assert torch.equal(torch.get_rng_state(), state)
    assert any(isinstance(record, InsideRecord) for record in recorded)
    assert [record for record in recorded if not isinstance(record, InsideRecord)] == without
    assert model.training


def test_the_chapters_settings_record_nothing_and_are_written_as_before() -> None:
    assert not TrainingConfig().record_inside
    assert not PRESETS["book-124m"].training.record_inside
    assert "record_inside" not in as_settings(TrainingConfig())
    assert all(PRESETS[name].training.record_inside for name in ("pocket", "evening"))


def test_what_is_recorded_is_what_the_model_then_does(tokenizer: Tokenizer) -> None:
    model, records = trained(tokenizer, replace(RECORDED, eval_freq=1))
    last = [record for record in records if isinstance(record, InsideRecord)][-1]
    assert last.global_step == [r.global_step for r in records][-1]  # so this is its model
    ids = torch.tensor([last.token_ids])  # (1, T + 1)
    assert tokenizer.decode(list(last.token_ids)) == LINE
    weights = attention_weights(model.eval(), ids[:, :-1])
    shown = attention_of(last, TINY)
    assert shown.shape == weights.shape
    np.testing.assert_allclose(shown, weights, atol=1e-3)
    lens = lens_summary(model, ids[:, :-1], 3, targets=ids[0, 1:])
    assert last.best_ids == tuple(tuple(map(tuple, rows)) for rows in lens.best_ids.tolist())
    np.testing.assert_allclose(last.target_probas, lens.target_probas, rtol=1e-3)
    assert [name for name, _ in last.head_scores] == ["previous", "first", "same", "induction"]
    for part in last.parts:
        assert part.gradients is not None
        assert part.updates is not None
        assert part.update_to_weight is not None
        assert 1e-7 < part.update_to_weight < 1
        for bins in (part.weights, part.gradients, part.updates):
            assert len(bins.counts) == 40
            assert sum(bins.counts) == sum(part.weights.counts)
    assert len(last.stream_norms) == 3
    assert all(0 <= silent <= 1 for silent in last.silent_units)


def test_it_follows_the_losses_of_the_planned_evaluations(tokenizer: Tokenizer) -> None:
    config = replace(RECORDED, num_epochs=4, eval_freq=2)
    _, records = trained(tokenizer, config)
    evaluated = [r.global_step for r in records if isinstance(r, EvaluationRecord)]
    steps = [r.global_step for r in records if isinstance(r, InsideRecord)]
    total = 1 + max(r.global_step for r in records)
    small = replace(TINY, vocab_size=tokenizer.n_vocab)
    plan = plan_inside(small, config, total, tokenizer)
    assert steps == sorted(plan.steps)
    assert set(steps) <= set(evaluated)
    assert (steps[0], steps[-1]) == (evaluated[0], evaluated[-1])


@given(count=st.integers(1, MAX_RECORDINGS), evaluations=st.integers(1, 100_000))
def test_places_are_all_different_first_and_last_among_them_and_denser_at_the_start(
    count: int, evaluations: int
) -> None:
    places = spread(count, evaluations)
    assert len(places) == min(count, evaluations)
    assert places[0] == 0
    assert places == sorted(set(places))
    if count > 1:
        assert places[-1] == evaluations - 1
    gaps = np.diff(places)
    assert all(later >= earlier - 1 for earlier, later in pairwise(gaps))


def test_a_recording_is_never_larger_than_was_planned_for(tokenizer: Tokenizer) -> None:
    for model_config in (TINY, replace(TINY, n_layers=5, n_heads=8, emb_dim=32)):
        _, records = trained(tokenizer, replace(RECORDED, num_epochs=1), model_config)
        for record in (r for r in records if isinstance(r, InsideRecord)):
            row = asdict(record)
            size = len(row.pop("attention")) + len(json.dumps(row))
            assert size <= recording_bytes(model_config, len(record.token_ids) - 1)


@pytest.mark.parametrize("model_config", [TINY, *(preset.model for preset in PRESETS.values())])
def test_a_run_never_records_more_than_64_mb(model_config: GPTConfig, tokenizer: Tokenizer) -> None:
    config = replace(RECORDED, probes=(LINE * 10,), eval_freq=1)
    for wide in (model_config, replace(model_config, n_layers=64, n_heads=64, emb_dim=4096)):
        plan = plan_inside(wide, config, 100_000, tokenizer)
        tokens = len(plan.ids) - 1
        assert 0 < len(plan.steps) <= MAX_RECORDINGS
        assert tokens <= 32
        assert len(plan.steps) * recording_bytes(wide, tokens) <= MAX_BYTES


def test_a_model_of_which_not_even_a_few_recordings_fit_is_not_recorded_and_why_is_said(
    tokenizer: Tokenizer,
) -> None:
    plan = plan_inside(replace(TINY, n_layers=20_000), RECORDED, 1_000, tokenizer)
    assert not plan.steps
    assert "too many heads and layers" in plan.reason
    for config, reason in (
        (replace(RECORDED, record_inside=False), "record_inside is off"),
        (replace(RECORDED, probes=()), "no probe"),
    ):
        plan = plan_inside(TINY, config, 1_000, tokenizer)
        assert not plan.steps
        assert reason in plan.reason


def test_more_steps_afford_more_recordings_and_a_gpu_fewer() -> None:
    config = PRESETS["evening"].training
    model = PRESETS["evening"].model
    counts = [affordable_recordings(model, config, steps, 8) for steps in (1, 1_000, 10_000)]
    assert counts == sorted(counts)
    assert counts[-1] > MAX_RECORDINGS
    on_gpu = replace(config, device="cuda")
    assert affordable_recordings(model, on_gpu, 1_000, 8) < counts[1]


def test_a_model_too_small_to_repeat_tokens_is_recorded_without_head_scores(
    tokenizer: Tokenizer,
) -> None:
    tiny = replace(TINY, context_length=3)
    _, records = trained(tokenizer, replace(RECORDED, num_epochs=1, probes=("one",)), tiny)
    assert next(r.head_scores for r in records if isinstance(r, InsideRecord)) == ()

from dataclasses import replace

import pytest
import tiktoken
import torch

from gpt_core import (
    EvaluationRecord,
    GPTModel,
    Record,
    SampleRecord,
    StepRecord,
    TrainingConfig,
    build_model,
    create_optimizer,
    generate,
    load_text,
    prepare_data,
    text_to_token_ids,
    train,
)
from gpt_core.training import check_device
from tests.conftest import TINY, TINY_TRAINING


def run(tokenizer: tiktoken.Encoding, config: TrainingConfig = TINY_TRAINING) -> list[Record]:
    data = prepare_data(load_text("counting").text, tokenizer, TINY, config)
    torch.manual_seed(config.seed)
    model = GPTModel(TINY)
    optimizer = create_optimizer(model, config)
    return list(train(model, data.train_loader, data.val_loader, optimizer, tokenizer, config))


def test_records_come_in_the_order_of_the_chapters_print_outs(
    tokenizer: tiktoken.Encoding,
) -> None:
    records = run(tokenizer)
    steps = [r for r in records if isinstance(r, StepRecord)]
    evaluations = [r for r in records if isinstance(r, EvaluationRecord)]
    samples = [r for r in records if isinstance(r, SampleRecord)]

    assert [r.global_step for r in steps] == list(range(len(steps)))
    assert [r.tokens_seen for r in steps] == [64 * (i + 1) for i in range(len(steps))]
    assert [r.global_step for r in evaluations] == list(range(0, len(steps), 5))
    assert [r.epoch for r in samples] == [1, 2]
    assert samples[-1].global_step == steps[-1].global_step
    assert isinstance(records[0], StepRecord)
    assert isinstance(records[1], EvaluationRecord)
    assert records[-1] is samples[-1]


def test_the_model_learns(tokenizer: tiktoken.Encoding) -> None:
    config = replace(TINY_TRAINING, num_epochs=6, learning_rate=5e-3)
    evaluations = [r for r in run(tokenizer, config) if isinstance(r, EvaluationRecord)]
    assert evaluations[-1].train_loss < 0.3 * evaluations[0].train_loss
    assert evaluations[-1].val_loss < 0.5 * evaluations[0].val_loss


def test_the_same_seed_gives_the_same_records_and_another_seed_others(
    tokenizer: tiktoken.Encoding,
) -> None:
    first = run(tokenizer)
    assert run(tokenizer) == first
    assert run(tokenizer, replace(TINY_TRAINING, seed=7)) != first


def test_what_is_asked_for_beside_a_run_does_not_change_its_losses(
    tokenizer: tiktoken.Encoding,
) -> None:
    """Between any two records: a model built, a text drawn, another corpus prepared."""
    undisturbed = run(tokenizer)
    data = prepare_data(load_text("counting").text, tokenizer, TINY, TINY_TRAINING)
    torch.manual_seed(TINY_TRAINING.seed)
    model = GPTModel(TINY)
    optimizer = create_optimizer(model, TINY_TRAINING)
    disturbed = []
    for record in train(
        model, data.train_loader, data.val_loader, optimizer, tokenizer, TINY_TRAINING
    ):
        disturbed.append(record)
        display = build_model(TINY, seed=1)
        prompt = text_to_token_ids("one", tokenizer)
        generate(display, prompt, 2, 1.0, generator=torch.Generator().manual_seed(1))
        prepare_data(load_text("days-of-the-week").text, tokenizer, TINY, TINY_TRAINING)
    assert disturbed == undisturbed


def test_a_sample_is_the_start_and_its_greedy_continuation(tokenizer: tiktoken.Encoding) -> None:
    config = replace(TINY_TRAINING, start_context="Count from three:", sample_tokens=7)
    sample = run(tokenizer, config)[-1]
    assert isinstance(sample, SampleRecord)
    assert sample.start_context == "Count from three:"
    assert sample.text.startswith("Count from three:")
    prompt_tokens = len(tokenizer.encode("Count from three:"))
    assert len(tokenizer.encode(sample.text)) <= prompt_tokens + 7


def test_bfloat16_learns_as_float32_does_with_float32_weights(
    tokenizer: tiktoken.Encoding,
) -> None:
    exact = [r.train_loss for r in run(tokenizer) if isinstance(r, EvaluationRecord)]
    reduced_config = replace(TINY_TRAINING, precision="bfloat16")
    reduced = [
        r.train_loss for r in run(tokenizer, reduced_config) if isinstance(r, EvaluationRecord)
    ]
    assert reduced == pytest.approx(exact, abs=0.1)
    assert reduced != exact


def test_a_text_too_short_is_refused_before_anything_is_built(tokenizer: tiktoken.Encoding) -> None:
    with pytest.raises(ValueError, match="too short for context_length=32"):
        prepare_data("A short text.", tokenizer, TINY, TINY_TRAINING)


def test_a_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    check_device("cpu")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ValueError, match=r"device='cuda' is not available.*choose cpu"):
        check_device("cuda")

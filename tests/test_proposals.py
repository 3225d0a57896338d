"""Settings that fit a text and the time one has."""

import pytest

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.proposals import MOST_EPOCHS, TOKENS_PER_WEIGHT, propose, weights_of


def seconds_of(
    model: GPTConfig, training: TrainingConfig, train_tokens: int, val_tokens: int
) -> float | None:
    """A machine of 100 billion operations a second, six for each weight and token."""
    if val_tokens <= model.context_length or train_tokens < 16 * model.context_length:
        return None
    windows = (training.stride or model.context_length) / model.context_length
    return 6 * (weights_of(model) + 1e5) * train_tokens * training.num_epochs / windows / 1e11


@pytest.mark.parametrize("minutes", [3, 20, 180])
@pytest.mark.parametrize("text_bytes", [20_000, 400_000, 5_000_000, 200_000_000])
def test_a_run_ends_in_the_time_there_is(text_bytes: int, minutes: int) -> None:
    proposal = propose("mine", text_bytes, minutes, seconds_of)
    model, training = proposal.preset.model, proposal.preset.training
    per_token = {512: 2.0, 1024: 2.5, 2048: 3.0, 8192: 3.8, 32_000: 4.3}[model.vocab_size]
    tokens = int(text_bytes / per_token)
    train_tokens = int(0.9 * tokens)
    seconds = seconds_of(model, training, train_tokens, tokens - train_tokens)
    assert seconds is not None
    assert seconds <= 60 * minutes
    assert training.vocabulary == "bpe"
    assert training.warmup_steps * training.eval_freq > 0
    # It reads enough for its size, or the whole text as often as makes sense.
    enough = proposal.tokens_read >= TOKENS_PER_WEIGHT * weights_of(model)
    assert enough or model.emb_dim == 64


def test_more_time_gives_a_larger_model_and_a_short_text_does_not_need_it() -> None:
    sizes = [
        weights_of(propose("mine", 5_000_000, minutes, seconds_of).preset.model)
        for minutes in (3, 20, 180)
    ]
    assert sizes[0] < sizes[1] < sizes[2]
    short = propose("mine", 20_000, 180, seconds_of).preset
    assert short.training.num_epochs == MOST_EPOCHS
    assert "by heart" in propose("mine", 20_000, 180, seconds_of).reason


def test_the_reason_is_one_sentence_with_the_numbers() -> None:
    proposal = propose("mine", 200_000_000, 3, seconds_of)
    stride, context_length = proposal.preset.training.stride, proposal.preset.model.context_length
    assert stride is not None
    assert stride % context_length == 0
    assert f"one window in {stride // context_length} of the text" in proposal.reason
    assert f"{proposal.tokens_read:,} tokens" in proposal.reason
    assert proposal.reason.count(".") == 1


def test_a_text_too_short_for_any_model_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        propose("mine", 500, 3, seconds_of)


@pytest.mark.parametrize("text_bytes", [20_000, 5_000_000])
def test_a_run_has_no_more_steps_than_a_class_allows(text_bytes: int) -> None:
    free = propose("mine", text_bytes, 20, seconds_of)
    limited = propose("mine", text_bytes, 20, seconds_of, most_steps=200)
    model, training = limited.preset.model, limited.preset.training
    windows = limited.tokens_read // training.num_epochs // model.context_length
    assert training.num_epochs * (windows // training.batch_size) <= 200
    assert limited.tokens_read < free.tokens_read


def test_the_vocabulary_is_one_that_the_text_gives() -> None:
    proposal = propose("mine", 2_000_000, 3, seconds_of, lambda size: size < 1500)
    assert proposal.preset.model.vocab_size == 1024
    with pytest.raises(ValueError, match="fewer than 512 byte pairs"):
        propose("mine", 2_000_000, 3, seconds_of, lambda size: False)

"""The memory of training as counted, against what real steps keep and allocate."""

from dataclasses import replace
from itertools import accumulate
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import (
    GPTModel,
    autocast,
    build_model,
    calc_loss_batch,
    count_config_parameters,
    training_memory,
)
from gpt_core.presets import GPT2_CONFIGS, GPT_CONFIG_124M
from gpt_core.training import create_optimizer
from gpt_core.training.gradients import accumulate_gradients

# Each part of the formula counts: 5 blocks, attention weights, masks and logits weigh alike.
SMALL = GPTConfig(vocab_size=9000, context_length=96, emb_dim=64, n_heads=4, n_layers=5)


def kept_for_backward(config: GPTConfig, training: TrainingConfig) -> int:
    """Return the bytes of all tensors that a forward pass keeps, the weights aside."""
    model = GPTModel(config).train()
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, torch.Tensor] = {}  # held, so that no address is used twice

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        address = tensor.untyped_storage().data_ptr()
        if address not in weights:
            kept[address] = tensor
        return tensor

    ids = torch.randint(config.vocab_size, (training.batch_size, config.context_length))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x), autocast(training):
        calc_loss_batch(ids, ids, model, "cpu")
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        replace(SMALL, drop_rate=0.0),
        replace(SMALL, norm="none"),
        replace(SMALL, drop_rate=0.0, positions="rotary"),
        replace(SMALL, tied_head=True, initialization="gpt2", qkv_bias=True),
    ],
)
def test_what_a_forward_pass_keeps_is_counted_to_three_percent(
    config: GPTConfig, precision: str
) -> None:
    training = TrainingConfig(batch_size=3, precision=precision)
    counted = training_memory(config, training)
    logits = training.batch_size * config.context_length * config.vocab_size
    logits *= 2 if precision == "bfloat16" else 4
    batch = counted.weight_copies + counted.activations + logits
    assert kept_for_backward(config, training) == pytest.approx(batch, rel=0.03)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_optimizers_state_is_counted_exactly_but_for_its_step_counts(optimizer: str) -> None:
    training = TrainingConfig(optimizer=optimizer)
    states = create_optimizer(GPTModel(SMALL), training).state.values()
    tensors = [t for state in states for name, t in state.items() if name != "step"]
    kept = sum(4 * tensor.numel() for tensor in tensors)
    assert training_memory(SMALL, training).optimizer == kept


def test_gpt2s_largest_takes_25_gigabytes_before_any_batch() -> None:
    """The number that is often cited: 16 bytes for each of 1,557,611,200 parameters."""
    tied = replace(GPT2_CONFIGS["1558M"], tied_head=True, initialization="gpt2")
    assert training_memory(tied, TrainingConfig()).model == 16 * 1_557_611_200


def test_shares_of_the_moments_hold_whole_tensors() -> None:
    config, training = GPT_CONFIG_124M, TrainingConfig()
    whole = training_memory(config, training).optimizer
    assert whole == 8 * count_config_parameters(config)
    halves = training_memory(config, training, 2, shards_optimizer=True)
    assert halves.optimizer == pytest.approx(whole / 2, rel=0.01)
    many = training_memory(config, training, 64, shards_optimizer=True)
    assert many.optimizer == 8 * config.vocab_size * config.emb_dim  # one tensor: no less
    assert many.weights == training_memory(config, training).weights


def test_more_devices_without_shares_take_no_less_each() -> None:
    alone, four = (training_memory(SMALL, TrainingConfig(), n) for n in (1, 4))
    assert (alone.model, alone.activations) == (four.model, four.activations)
    assert four.peak == four.model + four.activations + four.loss >= alone.peak


def test_gradients_that_wait_for_another_batch_add_to_the_peak() -> None:
    one, several = (
        training_memory(SMALL, TrainingConfig(accumulation_steps=n, batch_size=8)) for n in (1, 2)
    )
    assert several.peak - one.peak == several.gradients


def test_on_a_gpu_attention_keeps_no_weights() -> None:
    def activations(context_length: int) -> int:
        config = replace(SMALL, context_length=context_length)
        training = TrainingConfig(device="cuda", batch_size=1, precision="bfloat16")
        return training_memory(config, training).activations

    assert activations(2048) == 2 * activations(1024)


def most_allocated(config: GPTConfig, training: TrainingConfig) -> int:
    """Return the most bytes of tensors at any time of two real steps, the model included."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        model = build_model(config, 0, torch.Generator()).train()
        optimizer = create_optimizer(model, training)
        ids = torch.zeros((training.batch_size, config.context_length), dtype=torch.long)
        for _ in range(2):
            optimizer.zero_grad()
            accumulate_gradients([(ids, ids)] * training.accumulation_steps, model, training)
            optimizer.step()
    assert profiler.profiler is not None
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return max(accumulate(event.nbytes() for event in events))


@pytest.mark.parametrize(
    ("vocab_size", "settings"),
    [
        (9000, {}),  # our kernel's loss
        (9000, {"precision": "bfloat16"}),
        (8000, {"precision": "bfloat16"}),  # PyTorch's
        (8000, {"accumulation_steps": 2}),
        (8000, {"batch_size": 1}),  # the gradients are more than the activations
    ],
)
def test_the_peak_of_real_steps_is_counted_to_three_percent(
    vocab_size: int, settings: dict[str, Any]
) -> None:
    config = replace(SMALL, vocab_size=vocab_size, emb_dim=128)
    training = TrainingConfig(**{"batch_size": 4, **settings})
    counted = training_memory(config, training).peak
    assert most_allocated(config, training) == pytest.approx(counted, rel=0.03)

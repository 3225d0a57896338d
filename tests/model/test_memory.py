"""The memory of training as counted, against what real steps keep and take."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import (
    GPTModel,
    autocast,
    calc_loss_batch,
    count_config_parameters,
    training_memory,
)
from gpt_core.presets import GPT2_CONFIGS, GPT_CONFIG_124M
from gpt_core.training import create_optimizer
from tests.support.paths import ROOT

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
    batch = counted.activations + counted.logits + counted.weight_copies
    # The head's copy in bfloat16 is made for each product and not kept between them.
    head = 2 * config.vocab_size * config.emb_dim if precision == "bfloat16" else 0
    assert kept_for_backward(config, training) == pytest.approx(batch - head, rel=0.03)


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
    assert four.peak == four.model + four.activations + four.logits >= alone.peak


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


STEP = """
import gc, json, sys, torch
from pathlib import Path
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import build_model, training_memory
from gpt_core.system import return_freed_memory
from gpt_core.training import create_optimizer
from gpt_core.training.gradients import accumulate_gradients

def memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))

def steps(config, training):
    model = build_model(config, 0, torch.Generator()).train()
    optimizer = create_optimizer(model, training)
    shape = (training.batch_size, config.context_length)
    ids = torch.randint(config.vocab_size, shape, generator=torch.Generator())
    for _ in range(3):
        optimizer.zero_grad()
        accumulate_gradients([(ids, ids)] * training.accumulation_steps, model, training)
        optimizer.step()

fields, settings = json.loads(sys.argv[1])
config, training = GPTConfig(**fields), TrainingConfig(**settings)
tiny = GPTConfig(vocab_size=100, context_length=8, emb_dim=16, n_heads=2, n_layers=1)
steps(tiny, training)  # imports the compiler, as the first optimizer does
gc.collect()
return_freed_memory()
Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
before = memory("VmRSS")
steps(config, training)
print(json.dumps([memory("VmHWM") - before, training_memory(config, training).peak]))
"""


def measured_and_counted(config: GPTConfig, training: TrainingConfig) -> tuple[int, int]:
    """Return by how many bytes real steps raise a process's peak, and what is counted."""
    settings = json.dumps([vars(config), vars(training)])
    command = [sys.executable, "-c", STEP, settings]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    measured, counted = json.loads(output.splitlines()[-1])
    return measured, counted


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells a process's peak")
@pytest.mark.parametrize(
    ("fields", "settings"),
    [
        ({}, {}),
        ({"drop_rate": 0.0}, {"precision": "bfloat16", "accumulation_steps": 2}),
        ({"vocab_size": 8000}, {"batch_size": 8}),
    ],
)
def test_the_count_is_within_a_quarter_of_what_a_process_takes(
    fields: dict[str, float], settings: dict[str, object]
) -> None:
    config = GPTConfig(
        **{"context_length": 128, "emb_dim": 256, "n_heads": 4, "n_layers": 6, **fields}  # type: ignore[arg-type]
    )
    training = TrainingConfig(**{"batch_size": 4, **settings})  # type: ignore[arg-type]
    measured, counted = measured_and_counted(config, training)
    assert counted / 1.25 < measured < counted * 1.25

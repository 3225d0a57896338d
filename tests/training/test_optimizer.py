"""Muon beside AdamW."""

from dataclasses import replace
from pathlib import Path

import pytest
import tiktoken
import torch

from gpt_core.config import TrainingConfig
from gpt_core.model import GPTModel, build_model
from gpt_core.text import load_text
from gpt_core.training import (
    TrainingState,
    count_muon_operations,
    create_optimizer,
    prepare_data,
    train,
)
from gpt_core.weights import load_checkpoint, save_checkpoint
from tests.conftest import TINY, TINY_TRAINING

MUON = replace(TINY_TRAINING, num_epochs=1, optimizer="muon", schedule="cosine", beta2=0.95)


def test_adamw_is_the_chapters_and_takes_the_betas() -> None:
    optimizer = create_optimizer(build_model(TINY, 1), TrainingConfig(beta1=0.8, beta2=0.95))
    assert optimizer.param_groups[0]["betas"] == (0.8, 0.95)
    [chapters] = create_optimizer(build_model(TINY, 1), TrainingConfig()).param_groups
    assert chapters["betas"] == (0.9, 0.999)


def test_muon_moves_the_blocks_matrices_orthogonally_and_adamw_the_rest() -> None:
    model = build_model(TINY, 1)
    optimizer = create_optimizer(model, replace(MUON, weight_decay=0.0, learning_rate=0.01))
    for group in optimizer.param_groups:
        assert group["lr"] == 0.01
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer.step()
    for name, parameter in model.named_parameters():
        moved = (parameter.detach() - before[name]) / 0.01
        if name.startswith("trf_blocks") and parameter.ndim == 2:
            # Of the size of AdamW's, 0.2 a number; most directions about equally long.
            lengths = torch.linalg.svdvals(moved) / (0.2 * max(parameter.shape) ** 0.5)
            assert 0.5 < lengths.median() < lengths.max() < 1.5, name
        else:
            assert moved.abs().median().item() == pytest.approx(1, abs=0.01), name


def test_a_run_with_muon_goes_on_bit_by_bit_from_its_checkpoint(
    tmp_path: Path, tokenizer: tiktoken.Encoding
) -> None:
    config = replace(TINY, positions="rotary", tied_head=True, initialization="gpt2")
    data = prepare_data(load_text("counting").text, tokenizer, config, MUON)
    loaders = (data.train_loader, data.val_loader)
    torch.manual_seed(MUON.seed)
    model = GPTModel(config)
    optimizer, state = create_optimizer(model, MUON), TrainingState()
    whole, saved_at = [], None
    for record in train(model, *loaders, optimizer, tokenizer, MUON, state):
        whole.append(record)
        if saved_at is None and state.global_step >= 7 and state.between_steps:
            save_checkpoint(tmp_path / "c", model, optimizer, state)
            saved_at = len(whole)
    torch.manual_seed(9)
    other = GPTModel(config)
    other_optimizer = create_optimizer(other, MUON)
    loaded = load_checkpoint(tmp_path / "c", other, other_optimizer)
    assert (
        list(train(other, *loaders, other_optimizer, tokenizer, MUON, loaded)) == (whole[saved_at:])
    )


def test_muons_operations_are_those_of_its_products() -> None:
    one = replace(TINY, n_layers=1)  # four matrices of 16 x 16, two of 16 x 64
    square, wide = 4 * 16**3 + 2 * 16**3, 4 * 16 * 16 * 64 + 2 * 16**3
    assert count_muon_operations(one) == 5 * (4 * square + 2 * wide)
    assert count_muon_operations(TINY) == 2 * count_muon_operations(one)


@pytest.mark.parametrize("name", ["beta1", "beta2"])
def test_a_beta_of_one_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=1.0 is out of range: choose a number from 0"):
        TrainingConfig(**{name: 1.0})

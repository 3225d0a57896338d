import copy

import pytest
import torch
from torch import Tensor

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import GPTModel, build_model, compare_devices, find_device_difference
from gpt_core.text import Batch

SMALL = GPTConfig(vocab_size=64, context_length=16, emb_dim=16, n_heads=2, n_layers=2)


def batch(rows: int = 5) -> Batch:
    ids = torch.randint(64, (rows, 17), generator=torch.Generator().manual_seed(0))
    return ids[:, :-1], ids[:, 1:]


class WrongInLargeBatches(GPTModel):
    """A model whose device goes wrong as MPS did: only in batches of more than two rows."""

    def forward(self, ids: Tensor) -> Tensor:
        logits = super().forward(ids)  # (B, T, vocab_size)
        return logits if len(ids) <= 2 else logits.roll(1, dims=1)


class WrongGradient(GPTModel):
    """A model whose logits are right and whose gradients are not."""

    def forward(self, ids: Tensor) -> Tensor:
        logits = super().forward(ids)
        return logits if len(ids) <= 2 else logits.detach() + 0.9 * (logits - logits.detach())


def like(kind: type[GPTModel]) -> GPTModel:
    model = kind(SMALL).eval()
    model.load_state_dict(build_model(SMALL, 1).state_dict())
    return model


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_device_that_computes_alike_is_not_mentioned(rows: int) -> None:
    model = build_model(SMALL, 1)
    before = copy.deepcopy(model.state_dict())
    assert compare_devices(model, batch(rows), "cpu") == ""
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_rounding_to_bfloat16_is_no_difference() -> None:
    config = TrainingConfig(precision="bfloat16")
    assert compare_devices(build_model(SMALL, 1), batch(), "cpu", config) == ""


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_logits_that_are_wrong_in_large_batches_only_are_found(precision: str) -> None:
    config = TrainingConfig(precision=precision)
    said = compare_devices(like(WrongInLargeBatches), batch(), "cpu", config)
    assert said.startswith("On cpu a batch's numbers differ from the CPU's: the logits by ")
    assert compare_devices(like(WrongInLargeBatches), batch(2), "cpu", config) == ""


def test_wrong_gradients_are_found_where_the_logits_are_right() -> None:
    said = compare_devices(like(WrongGradient), batch(), "cpu")
    assert "the gradient of tok_emb.weight by 9.1%" in said  # 10 %, and a hundredth added below


def test_numbers_that_are_not_finite_are_a_difference() -> None:
    class Infinite(GPTModel):
        def forward(self, ids: Tensor) -> Tensor:
            logits = super().forward(ids)
            return logits if len(ids) <= 2 else logits * torch.nan

    assert "the logits by nan%" in compare_devices(like(Infinite), batch(), "cpu")


def test_the_cpu_is_not_compared_with_itself() -> None:
    too_large = TrainingConfig(batch_size=10**9)
    assert find_device_difference(SMALL, too_large) == ""

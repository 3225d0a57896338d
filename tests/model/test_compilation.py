from dataclasses import replace
from functools import partial

import pytest
import torch

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import GPTModel, build_model, calc_loss_batch, check_compile, choose_loss
from gpt_core.model import compilation as compilation_module
from gpt_core.model.compilation import MIN_BATCHES, compile_loss
from gpt_core.text import Batch
from gpt_core.training import accumulate_gradients, create_optimizer

SMALL = GPTConfig(
    vocab_size=64, context_length=16, emb_dim=16, n_heads=2, n_layers=1, drop_rate=0.0
)
COMPILED = TrainingConfig(compile=True)
# Inductor's first import uses what PyTorch itself has deprecated.
INDUCTOR = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


def batches(number: int) -> list[Batch]:
    ids = torch.randint(64, (number, 2, 17), generator=torch.Generator().manual_seed(0))
    return [(rows[:, :-1].contiguous(), rows[:, 1:].contiguous()) for rows in ids]


def fails(*arguments: object) -> torch.Tensor:
    raise RuntimeError("C++ compile error\nwith many lines")


def test_by_default_nothing_is_compiled_and_nothing_said() -> None:
    model = build_model(SMALL, 1)
    chosen = choose_loss(model, TrainingConfig(), batches(1)[0], 10**6)
    assert chosen == (calc_loss_batch, "")


def test_a_short_run_is_left_uncompiled_and_it_is_said() -> None:
    chosen = choose_loss(build_model(SMALL, 1), COMPILED, batches(1)[0], MIN_BATCHES - 1)
    assert chosen.calc_loss is calc_loss_batch
    assert chosen.message.startswith("Not compiled: the run has 499 batches")


def test_dropout_on_a_cpu_cannot_be_compiled_and_it_is_said_what_to_change() -> None:
    with pytest.raises(ValueError, match=r"needs drop_rate=0, and it is 0\.1"):
        check_compile(replace(SMALL, drop_rate=0.1), COMPILED)
    check_compile(SMALL, COMPILED)
    check_compile(replace(SMALL, drop_rate=0.1), TrainingConfig())
    check_compile(replace(SMALL, drop_rate=0.1), replace(COMPILED, device="cuda"))


def test_a_failed_compile_is_a_sentence_and_the_plain_loss(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compilation_module, "compile_loss", lambda: fails)
    model = build_model(SMALL, 1)
    chosen = choose_loss(model, COMPILED, batches(1)[0], MIN_BATCHES)
    assert chosen.calc_loss is calc_loss_batch
    assert chosen.message == (
        "The model could not be compiled, and trains uncompiled: C++ compile error."
    )
    assert all(p.grad is None for p in model.parameters())
    assert not model.training


def test_a_compiled_model_that_is_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: object) -> torch.Tensor:
        return calc_loss_batch(*arguments) + 0.1  # type: ignore[arg-type]

    monkeypatch.setattr(compilation_module, "compile_loss", lambda: wrong)
    chosen = choose_loss(build_model(SMALL, 1), COMPILED, batches(1)[0], MIN_BATCHES)
    assert chosen.calc_loss is calc_loss_batch
    assert "the run trains uncompiled" in chosen.message


def test_on_a_gpu_dropout_is_part_of_one_graph_whatever_generator_the_model_has() -> None:
    """A meta tensor takes the path of a GPU's; the backend "eager" only traces."""
    model = build_model(replace(SMALL, drop_rate=0.1), 1, torch.Generator()).to("meta").train()
    traced = torch.compile(calc_loss_batch, backend="eager", fullgraph=True, dynamic=False)
    ids = torch.zeros(2, 16, dtype=torch.int64, device="meta")
    assert traced(ids, ids, model, "meta").shape == ()


@INDUCTOR
@pytest.mark.slow
@pytest.mark.parametrize(
    "shape", [SMALL, replace(SMALL, tied_head=True, initialization="gpt2", positions="rotary")]
)
def test_compiled_losses_equal_plain_ones(shape: GPTConfig) -> None:
    """Ten updates, each of two accumulated batches; what is measured before changes nothing."""

    def losses(model: GPTModel, compiles: bool) -> list[float]:
        config = replace(COMPILED, compile=compiles, accumulation_steps=2)
        chosen = choose_loss(model, config, batches(1)[0], MIN_BATCHES)
        assert (chosen.calc_loss is not calc_loss_batch) == compiles
        assert ("Compiled in" in chosen.message) == compiles
        optimizer, found, own = create_optimizer(model, config), [], batches(20)
        for i in range(10):
            optimizer.zero_grad()
            pair = own[2 * i : 2 * i + 2]
            found.append(accumulate_gradients(pair, model, config, chosen.calc_loss).item())
            optimizer.step()
        return found

    plain = losses(build_model(shape, 1).train(), compiles=False)
    assert losses(build_model(shape, 1).train(), compiles=True) == pytest.approx(plain, abs=1e-5)
    assert len(set(plain)) == 10


def test_more_models_than_pytorch_recompiles_each_have_their_own_graph(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limit is 8 recompilations of one function; beyond, PyTorch quietly runs it plain."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    counters = torch._dynamo.utils.counters
    counters.clear()
    with torch._dynamo.config.patch(recompile_limit=2):
        for width in (8, 16, 24, 32):
            model = build_model(replace(SMALL, emb_dim=width), 1).train()
            compile_loss()(*batches(1)[0], model, "cpu")
    assert counters["stats"]["unique_graphs"] == 4

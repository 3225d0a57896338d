from contextlib import suppress
from dataclasses import replace

import pytest
import torch

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import build_model, resolve_auto, tf32_products, training_devices
from gpt_core.model import precision as precision_module
from gpt_core.model.precision import measure_products
from gpt_core.presets import PRESETS
from gpt_core.text import create_dataloader
from gpt_core.training import choose_training_loss

AUTO = TrainingConfig(precision="auto")


@pytest.mark.parametrize(
    ("bfloat16", "chosen"), [(440.0, "bfloat16"), (200.0, "float32"), (2.0, "float32")]
)
def test_auto_takes_bfloat16_where_its_products_are_clearly_faster(
    bfloat16: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {"float32": 190.0, "bfloat16": bfloat16}
    monkeypatch.setattr(precision_module, "measure_products", lambda device: rates)
    assert resolve_auto(AUTO) == replace(AUTO, precision=chosen)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_the_user_chose_is_kept(precision: str) -> None:
    config = TrainingConfig(precision=precision)
    assert resolve_auto(config) is config


@pytest.mark.parametrize(
    ("has", "device"), [({"cuda", "mps"}, "cuda"), ({"mps"}, "mps"), (set(), "cpu")]
)
def test_the_device_auto_takes_a_gpu_before_the_cpu(
    has: set[str], device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in has)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in has)
    assert resolve_auto(TrainingConfig(device="auto")).device == device


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has one")
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_a_device_that_is_not_there_is_refused_in_words(precision: str) -> None:
    with pytest.raises(ValueError, match=r"device='cuda' is not available .* choose .*cpu"):
        resolve_auto(TrainingConfig(device="cuda", precision=precision))


def test_measuring_gives_a_rate_for_each_and_draws_no_random_number() -> None:
    state = torch.get_rng_state()
    rates = measure_products("cpu")
    assert set(rates) == {"float32", "bfloat16"}
    assert all(rate > 0 for rate in rates.values())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_books_preset_stays_exact_unless_asked() -> None:
    assert PRESETS["book-124m"].training.precision == "float32"


@pytest.mark.parametrize(
    ("gpus", "devices"), [(0, ("cpu",)), (1, ("cuda",)), (3, ("cuda:0", "cuda:1", "cuda:2"))]
)
def test_runs_train_on_all_gpus_of_a_machine_at_the_same_time(
    gpus: int, devices: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert training_devices() == devices


@pytest.mark.parametrize("device", ["cpu", "auto"])
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has TF32")
def test_tf32_is_refused_where_it_has_no_effect(device: str) -> None:
    with pytest.raises(ValueError, match=r"tf32=True changes products on cuda only.*tf32=False"):
        resolve_auto(TrainingConfig(device=device, tf32=True))


def test_tf32_is_on_in_its_context_only_also_after_an_error() -> None:
    products = torch.backends.cuda.matmul
    assert not products.allow_tf32
    with tf32_products(TrainingConfig()):
        assert not products.allow_tf32
    with tf32_products(TrainingConfig(tf32=True)):
        assert products.allow_tf32
        assert torch.get_float32_matmul_precision() == "high"  # the older name of the same switch
    with suppress(FloatingPointError), tf32_products(TrainingConfig(tf32=True)):
        raise FloatingPointError
    assert not products.allow_tf32
    assert torch.get_float32_matmul_precision() == "highest"


def test_training_with_tf32_where_nobody_switched_it_on_is_refused() -> None:
    loader = create_dataloader(torch.arange(100), context_length=8)
    model = build_model(GPTConfig(vocab_size=100, emb_dim=8, n_heads=2, n_layers=1), 1)
    config = TrainingConfig(tf32=True)
    with pytest.raises(ValueError, match=r"tf32=True: train inside .*tf32_products"):
        choose_training_loss(model, loader, config)
    with tf32_products(config):
        assert choose_training_loss(model, loader, config).message == ""

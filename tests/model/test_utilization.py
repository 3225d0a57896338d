from dataclasses import replace

import pytest

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import flops_per_token, peak_tflops, utilization

BFLOAT16 = TrainingConfig(precision="bfloat16")
GPT2 = GPTConfig(context_length=1024, tied_head=True, initialization="gpt2")


def test_operations_per_token_are_those_of_products_and_attention() -> None:
    block = 4 * 768**2 + 768 + 8 * 768**2 + 5 * 768 + 4 * 768  # matrices, biases, two norms
    products = 12 * block + 2 * 768 + 50257 * 768  # the head is the token embedding
    assert flops_per_token(GPT2) == 6 * products + 12 * 12 * 768 * 1024


def test_an_untied_embedding_is_looked_up_and_counts_for_nothing() -> None:
    assert flops_per_token(replace(GPT2, tied_head=False)) == flops_per_token(GPT2)


def test_the_share_of_the_peak_is_operations_per_second_over_it() -> None:
    share = utilization(GPT2, BFLOAT16, "NVIDIA H100 80GB HBM3", 400_000)
    assert share == pytest.approx(400_000 * flops_per_token(GPT2) / 989e12)
    assert share == pytest.approx(0.346, abs=0.001)


@pytest.mark.parametrize(
    ("name", "peaks"),
    [
        ("NVIDIA H100 80GB HBM3", (989, 494, 67)),
        ("NVIDIA H100 PCIe", (756, 378, 51)),
        ("NVIDIA H200", (989, 494, 67)),
        ("NVIDIA A100-SXM4-80GB", (312, 156, 19.5)),
        ("NVIDIA A100-PCIE-40GB", (312, 156, 19.5)),
        ("NVIDIA A100 80GB PCIe", (312, 156, 19.5)),
        ("Tesla T4", (None, None, 8.1)),
        ("Tesla V100-SXM2-16GB", (None, None, 15.7)),
        ("NVIDIA GeForce RTX 4090", (165, 82.6, 82.6)),
    ],
)
def test_a_known_gpu_has_a_peak_for_each_precision_it_has(name: str, peaks: tuple) -> None:
    configs = (BFLOAT16, TrainingConfig(tf32=True), TrainingConfig())
    assert tuple(peak_tflops(name, config) for config in configs) == peaks


@pytest.mark.parametrize(
    "name",
    [
        "",
        "cpu",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA GeForce RTX 3090 Ti",
        "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
        "NVIDIA L40",
        "NVIDIA A100X",
    ],
)
def test_another_devices_peak_is_not_guessed(name: str) -> None:
    assert peak_tflops(name, BFLOAT16) is None
    assert utilization(GPT2, BFLOAT16, name, 1e5) is None


def test_several_devices_share_the_work() -> None:
    alone = utilization(GPT2, BFLOAT16, "NVIDIA H200", 461_000)
    assert alone == pytest.approx(0.4, abs=0.005)
    assert utilization(GPT2, BFLOAT16, "NVIDIA H200", 8 * 461_000, devices=8) == alone

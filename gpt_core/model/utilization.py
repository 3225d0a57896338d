"""MFU: which share of a device's peak a training step uses for the model's own products."""

import re

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model.size import count_config_parameters, count_looked_up

# Peaks in TFLOP per second without sparsity, by the name that the driver gives: bfloat16 and TF32
# of the tensor cores adding in float32, and float32 without them. None: the device has none.
# Sources: NVIDIA's data sheets (H100, H200, A100, A30, A10, L4, L40S, T4, V100; where they state
# values with sparsity only, half of them) and the white papers on GA102 and Ada (RTX 3090, 4090).
PEAKS: tuple[tuple[str, float | None, float | None, float], ...] = (
    (r"H200", 989, 494, 67),  # SXM
    (r"H200 NVL", 835, 417, 60),
    (r"H100 80GB HBM3", 989, 494, 67),  # SXM
    (r"H100 NVL", 835, 417, 60),
    (r"H100 PCIe", 756, 378, 51),
    (r"A100(-SXM4|-PCIE|-PCIe)?-?(40GB|80GB)?|A100 80GB PCIe", 312, 156, 19.5),
    (r"A30", 165, 82, 10.3),
    (r"A10", 125, 62.5, 31.2),
    (r"L4", 121, 60, 30.3),
    (r"L40S", 362, 183, 91.6),
    (r"T4", None, None, 8.1),
    (r"V100-SXM2-(16|32)GB", None, None, 15.7),
    (r"V100-PCIE-(16|32)GB", None, None, 14.0),
    (r"RTX 3090", 71, 35.6, 35.6),
    (r"RTX 4090", 165, 82.6, 82.6),
)
MAKERS = re.compile(r"^(NVIDIA|Tesla|GeForce|\s)+")


def peak_tflops(device_name: str, config: TrainingConfig) -> float | None:
    """Return a GPU's peak in a run's precision, in TFLOP per second; None if it is not known.

    A part of a GPU (MIG), a laptop's or another variant has another peak, and so none here.
    """
    name = MAKERS.sub("", device_name)
    for pattern, bfloat16, tf32, float32 in PEAKS:
        if re.fullmatch(pattern, name):
            if config.precision == "bfloat16":
                return bfloat16
            return tf32 if config.tf32 else float32
    return None


def flops_per_token(config: GPTConfig) -> int:
    """Return the operations of a training step for each of its tokens, dropout not counted.

    6 N + 12 · layers · width · context: N are the parameters in products, so the output head and
    not what is looked up, the positions and, unless the head is tied to it, the token embedding.
    Attention is counted in full, without regard to its mask.

    Source: Chowdhery et al. (2022), "PaLM", appendix B.
    """
    multiplied = count_config_parameters(config) - count_looked_up(config)
    return 6 * multiplied + 12 * config.n_layers * config.emb_dim * config.context_length


def utilization(
    model_config: GPTConfig,
    config: TrainingConfig,
    device_name: str,
    tokens_per_second: float,
    devices: int = 1,
) -> float | None:
    """Return a run's MFU, 0 to 1, on equal devices; None where their peak is not known."""
    peak = peak_tflops(device_name, config)
    if peak is None:
        return None
    return flops_per_token(model_config) * tokens_per_second / (1e12 * peak * devices)

"""Whether a device computes what the CPU computes, asked before a run trains on it.

On MPS some versions of PyTorch are silently wrong for some shapes: a run's loss stays near 6, or
attention goes wrong in large batches. A second of comparing shows it.
"""

import copy
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model.gpt import GPTModel, build_model
from gpt_core.model.loss import loss_in_one_call
from gpt_core.model.precision import autocast, tf32_products
from gpt_core.text import IGNORE_INDEX, Batch

LAYERS = 2  # of the model that is compared: the blocks are all alike
TOLERANCE = 1e-3  # of the numbers' norm, in float32: another order of adding
ROUNDED_TOLERANCE = 0.1  # in bfloat16, with two or three digits
TF32_TOLERANCE = 0.02


def compare_devices(
    model: GPTModel, batch: Batch, device: str, config: TrainingConfig | None = None
) -> str:
    """Return in a sentence how logits or gradients on a device differ from the CPU's; "" if not.

    The device computes the whole batch, as in training, and the loss of its first and its last row;
    the CPU computes these two rows alone, in float32. Rows do not depend on one another, so both
    give the same numbers.

    Args:
        model: on the CPU, in eval mode. It is not changed.
        batch: token IDs, (B, T) and (B, T).
        device: the other device.
        config: gives the precision on the device; None is float32.
    """
    config = replace(config or TrainingConfig(), device=device)
    inputs, targets = batch
    rows = sorted({0, len(inputs) - 1})
    asked = torch.full_like(targets, IGNORE_INDEX)  # (B, T)
    asked[rows] = targets[rows]
    on_cpu = TrainingConfig()
    right = _logits_and_gradients(copy.deepcopy(model), inputs[rows], targets[rows], on_cpu)
    there = copy.deepcopy(model).to(device)
    found = _logits_and_gradients(there, inputs.to(device), asked.to(device), config)
    found["logits"] = found["logits"][rows]  # (1 or 2, T, vocab_size)

    gradients = [tensor for name, tensor in right.items() if name != "logits"]
    norm = torch.nn.utils.get_total_norm(gradients).item()
    tolerance = _tolerance(config)
    for name, expected in right.items():
        # Some gradients are 0 but for rounding, such as those of keys' biases: a hundredth of the
        # norm of all of them is added.
        size = expected.norm().item() + (0.0 if name == "logits" else norm / 100)
        difference = (found[name].cpu().float() - expected).norm().item()
        if not difference <= tolerance * size:  # NaN, too
            what = "the logits" if name == "logits" else f"the gradient of {name}"
            return (
                f"On {device} a batch's numbers differ from the CPU's: {what} by "
                f"{difference / size:.1%}, and rounding explains {tolerance:.1%} at most."
            )
    return ""


@lru_cache(maxsize=64)
def find_device_difference(model_config: GPTConfig, config: TrainingConfig) -> str:
    """Return how a run's device differs from the CPU, by :func:`compare_devices`; "" on the CPU.

    The model compared has the run's shapes, but no more than two blocks.

    Raises:
        ValueError: the batch does not fit into the device's memory.
    """
    if config.device == "cpu":
        return ""
    shape = replace(model_config, n_layers=min(LAYERS, model_config.n_layers))
    model = build_model(shape, config.seed)
    size = (config.batch_size, shape.context_length + 1)
    ids = torch.randint(shape.vocab_size, size, generator=torch.Generator().manual_seed(0))
    try:
        return compare_devices(model, (ids[:, :-1], ids[:, 1:]), config.device, config)
    except torch.OutOfMemoryError as error:
        raise ValueError(
            f"A batch of batch_size={config.batch_size} does not fit into the memory of "
            f"{config.device}: choose a smaller batch_size, and a larger accumulation_steps."
        ) from error


def _tolerance(config: TrainingConfig) -> float:
    if config.precision == "bfloat16":
        return ROUNDED_TOLERANCE
    return TF32_TOLERANCE if config.tf32 else TOLERANCE


def _logits_and_gradients(
    model: GPTModel, inputs: Tensor, targets: Tensor, config: TrainingConfig
) -> dict[str, Tensor]:
    """Return the logits of a batch, (B, T, vocab_size), and each parameter's gradient, by name."""
    with tf32_products(config):
        with autocast(config):
            logits = model(inputs)  # (B, T, vocab_size)
            loss = loss_in_one_call(logits, targets)
        loss.backward()
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return {"logits": logits.detach(), **gradients}

"""The random generators from which a run draws: the model's own and, on a GPU, the device's.

The model's own, on the CPU, gives the initial weights, the order of batches and, if the model is on
the CPU, dropout. A GPU's fused kernels take no generator: dropout there draws from the device's
global one, which must be this run's while it trains.
"""

import torch
from torch import Tensor

from gpt_core.model.gpt import GPTModel


def get_random_state(model: GPTModel) -> dict[str, Tensor]:
    """Return the states of a model's generators, each by its device: ``cpu``, ``cuda``, ``mps``."""
    states = {"cpu": (model.generator or torch.default_generator).get_state()}
    device = next(model.parameters()).device
    on_device = get_device_random_state(device)
    return states if on_device is None else {**states, device.type: on_device}


def set_random_state(model: GPTModel, states: dict[str, Tensor]) -> None:
    """Restore a model's generators to states of :func:`get_random_state`."""
    (model.generator or torch.default_generator).set_state(states["cpu"])
    device = next(model.parameters()).device
    set_device_random_state(device, states.get(device.type))


def seed_device(device: torch.device, seed: int) -> None:
    """Seed a GPU's global generator, as ``torch.manual_seed`` does beside the CPU's."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def get_device_random_state(device: torch.device) -> Tensor | None:
    """Return the state of a GPU's global generator; None for a CPU."""
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None


def set_device_random_state(device: torch.device, state: Tensor | None) -> None:
    """Restore a GPU's global generator to a state of :func:`get_device_random_state`."""
    if device.type == "cuda" and state is not None:
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps" and state is not None:
        torch.mps.set_rng_state(state)

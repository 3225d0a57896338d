"""``torch.compile`` for the training steps: where it pays, and where it works.

Only the loss of a batch is compiled, with its gradients. Evaluations, probes, samples, snapshots
and checkpoints use the model as it is: the parameters are the same.
"""

import inspect
import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model.gpt import GPTModel
from gpt_core.model.loss import calc_loss_batch
from gpt_core.model.precision import autocast
from gpt_core.model.random_state import get_device_random_state, set_device_random_state
from gpt_core.system import count
from gpt_core.text import Batch

log = logging.getLogger(__name__)

MIN_BATCHES = 500  # in a run: compiling takes as long as hundreds of steps
TIMED = 3  # batches, of which the fastest counts
MAX_DIFFERENCE = 0.02  # of the losses, in nats: bfloat16 rounds to two or three digits
MAX_REASON = 200  # characters of a compiler's error

CalcLoss = Callable[[Tensor, Tensor, GPTModel, torch.device | str], Tensor]  # calc_loss_batch


class ChosenLoss(NamedTuple):
    """How a run computes the loss of a training batch, and a sentence about it, or ""."""

    calc_loss: CalcLoss
    message: str


def check_compile(model_config: GPTConfig, config: TrainingConfig) -> None:
    """Raise ValueError if a run asks for compiled steps that could not be repeated.

    Compiled dropout draws from the device's generator. A GPU's is the run's own while it trains;
    the CPU's is anybody's.
    """
    if config.compile and config.device == "cpu" and model_config.drop_rate > 0:
        raise ValueError(
            f"compile=True on a CPU needs drop_rate=0, and it is {model_config.drop_rate:g}: "
            "compiled dropout cannot draw from the run's own random generator."
        )


def choose_loss(
    model: GPTModel,
    config: TrainingConfig,
    batch: Batch,
    num_batches: int,
    called: Callable[[CalcLoss], CalcLoss] = lambda calc_loss: calc_loss,
) -> ChosenLoss:
    """Return the loss of a run's batches: compiled, if that is chosen, worth it, and works.

    Compiling is tried on one batch, which also measures it. Nothing changes by that: gradients and
    the random state are as before.

    Args:
        model: on its device.
        config: says whether to compile; ``auto`` is resolved.
        batch: of the run's shape, (B, T) and (B, T).
        num_batches: in the whole run.
        called: wraps the loss in the call that training makes.

    Raises:
        ValueError: dropout on a CPU cannot be compiled.
    """
    if not config.compile:
        return ChosenLoss(calc_loss_batch, "")
    check_compile(model.config, config)
    if num_batches < MIN_BATCHES:
        return ChosenLoss(
            calc_loss_batch,
            f"Not compiled: the run has {count(num_batches, 'batch', 'batches')}, and compiling "
            f"pays from about {MIN_BATCHES} on.",
        )
    random_state = get_device_random_state(model.tok_emb.weight.device)
    was_training = model.training
    try:
        return _try_compiled(model.train(), config, batch, called)
    finally:
        model.train(was_training).zero_grad()
        set_device_random_state(model.tok_emb.weight.device, random_state)


def compile_loss() -> CalcLoss:
    """Return :func:`gpt_core.model.calc_loss_batch`, to be compiled when it is first called.

    One graph for one shape; what cannot be compiled whole is an error, never a slower patchwork.
    """
    # Each run's compiled code is its own, so that no run reaches PyTorch's limit of recompilations
    # by others'. PyTorch 2.11 has no such option.
    knows_regions = "isolate_recompiles" in inspect.signature(torch.compile).parameters
    own_code: dict[str, Any] = {"isolate_recompiles": True} if knows_regions else {}
    compiled: CalcLoss = torch.compile(calc_loss_batch, fullgraph=True, dynamic=False, **own_code)
    return compiled


def _try_compiled(
    model: GPTModel, config: TrainingConfig, batch: Batch, called: Callable[[CalcLoss], CalcLoss]
) -> ChosenLoss:
    plain_loss, plain = _time_gradients(called(calc_loss_batch), model, config, batch)
    compiled, began = compile_loss(), time.perf_counter()
    try:
        loss, seconds = _time_gradients(called(compiled), model, config, batch)
    except Exception as error:  # of Dynamo, Inductor, Triton or a C++ compiler
        log.warning("the model was not compiled", exc_info=True)
        reason = (str(error) or type(error).__name__).strip().splitlines()[0][:MAX_REASON]
        message = f"The model could not be compiled, and trains uncompiled: {reason.rstrip('.')}."
        return ChosenLoss(calc_loss_batch, message)
    took = time.perf_counter() - began - TIMED * seconds
    difference = abs(loss - plain_loss)
    if model.config.drop_rate == 0 and not difference <= MAX_DIFFERENCE:  # NaN, too
        return ChosenLoss(
            calc_loss_batch,
            f"The compiled model gives a loss of {loss:.4f} instead of {plain_loss:.4f}: the run "
            "trains uncompiled.",
        )
    return ChosenLoss(
        compiled,
        f"Compiled in {took:.0f} s: the gradients of a batch take {1000 * seconds:,.3g} ms, and "
        f"{1000 * plain:,.3g} ms uncompiled.",
    )


def _time_gradients(
    calc_loss: CalcLoss, model: GPTModel, config: TrainingConfig, batch: Batch
) -> tuple[float, float]:
    """Return the loss of a batch, and the seconds that its gradients take after a first time."""
    timed = []
    for _ in range(1 + TIMED):
        began = time.perf_counter()
        with autocast(config):
            loss = calc_loss(*batch, model, config.device)
        loss.backward()
        value = loss.item()  # on a GPU: wait for the gradients, too
        timed.append(time.perf_counter() - began)
        model.zero_grad()
    return value, min(timed[1:])

"""The chapter's training loop, as a generator of records: no threads, no files, no printing."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice

import tiktoken
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from gpt_core.config import TrainingConfig
from gpt_core.model import (
    GPTModel,
    autocast,
    resolve_auto,
)
from gpt_core.records import EvaluationRecord, Record, SampleRecord, StepRecord
from gpt_core.text import Batch
from gpt_core.training.evaluation import evaluate_model, generate_sample
from gpt_core.training.gradients import accumulate_gradients, clip_gradients, finite_grad_norm
from gpt_core.training.lr_schedule import learning_rate_at, steps_in_run
from gpt_core.training.probes import probe_model


@dataclass
class TrainingState:
    """How far a run is: with the weights, the optimizer and ``torch.get_rng_state()`` at the
    same moment, all that is needed to go on exactly as if it had never stopped.
    """

    epoch: int = 1
    batches_done: int = 0  # in this epoch
    global_step: int = -1  # of the last update, counted as the book counts
    tokens_seen: int = 0
    epoch_rng_state: Tensor | None = None  # as the epoch began: gives its order of batches again
    between_steps: bool = True  # False while this step's evaluation or sample is still to come


def train(
    model: GPTModel,
    train_loader: DataLoader[Batch],
    val_loader: DataLoader[Batch],
    optimizer: Optimizer,
    tokenizer: tiktoken.Encoding,
    config: TrainingConfig,
    state: TrainingState | None = None,
    watch: Callable[[list[Batch]], AbstractContextManager[None]] = lambda batches: nullcontext(),
) -> Iterator[Record]:
    """Train the model, yielding a record for each step, evaluation and sample as it happens.

    The caller sets the pace: between two records nothing runs, so whoever pulls may pause,
    look, or stop by pulling no more. Dropout and shuffling draw from torch's global random
    generator in the order of the chapter's code: same seed, same losses as the book prints.

    ``state`` is kept up to date, so that the caller can save it; a state loaded together with
    its weights, optimizer and random state is gone on from. It is whole ``between_steps``.

    ``watch`` is entered around each update, with the batches that it is made of: whoever looks
    closely finds the gradients ready, and the weights as they were.

    Raises:
        ValueError: the model is on another device than the configuration says.
        FloatingPointError: a loss or gradient is not finite; the update was not made.

    Source: the chapter, "Training an LLM", ``train_model_simple``; steps counted as there.
    """
    config = resolve_auto(config)
    state = TrainingState() if state is None else state
    device = torch.device(config.device)
    place = next(model.parameters()).device
    if place.type != device.type:
        raise ValueError(
            f"The model is on {place.type}, but device={config.device!r}: move it there with "
            "model.to(…) before its optimizer is made, or choose the other device."
        )

    total_steps = steps_in_run(len(train_loader), config)
    while state.epoch <= config.num_epochs:
        model.train()
        for batches in grouped(remaining_batches(train_loader, state), config.accumulation_steps):
            learning_rate = learning_rate_at(state.global_step + 1, total_steps, config)
            optimizer.zero_grad()
            loss = accumulate_gradients(batches, model, config)
            grad_norm = finite_grad_norm(loss, model, learning_rate, state.global_step + 1)
            if config.max_grad_norm is not None:
                clip_gradients(model, config.max_grad_norm, grad_norm)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            with watch(batches):
                optimizer.step()
            state.tokens_seen += sum(inputs.numel() for inputs, _ in batches)
            state.global_step += 1
            state.batches_done += len(batches)

            evaluates = state.global_step % config.eval_freq == 0
            ends_epoch = state.batches_done == len(train_loader)
            state.between_steps = not evaluates and not ends_epoch
            at = (state.global_step, state.epoch, state.tokens_seen)
            yield StepRecord(*at, loss.item(), grad_norm, learning_rate)

            if evaluates:
                with autocast(config):
                    losses = evaluate_model(
                        model, train_loader, val_loader, device, config.eval_iter
                    )
                probes = probe_model(model, tokenizer, config, at)
                records: list[Record] = [EvaluationRecord(*at, *losses), *probes]
                for record in records:
                    state.between_steps = record is records[-1] and not ends_epoch
                    yield record

        text = generate_sample(model, tokenizer, config)
        state.epoch, state.batches_done, state.epoch_rng_state = state.epoch + 1, 0, None
        state.between_steps = True
        yield SampleRecord(*at, config.start_context, text)


def remaining_batches(train_loader: DataLoader[Batch], state: TrainingState) -> Iterator[Batch]:
    """Yield an epoch's batches or, in an epoch begun before, those that are still to come."""
    if state.epoch_rng_state is None:
        state.epoch_rng_state = torch.get_rng_state()
        yield from train_loader
    else:
        # Draw the epoch's order again as it was drawn when the epoch began, pass over what is
        # done, and put the random generator back to where the run had left it.
        rng_state = torch.get_rng_state()
        torch.set_rng_state(state.epoch_rng_state)
        batches = iter(train_loader)
        for _ in range(state.batches_done):
            next(batches)
        torch.set_rng_state(rng_state)
        yield from batches


def grouped(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """Yield lists of ``size`` batches; at the end there may be fewer in one."""
    batches = iter(batches)
    while group := list(islice(batches, size)):
        yield group

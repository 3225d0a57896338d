"""The chapter's training loop, as a generator of records: no threads, no files, no printing."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice

import torch
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from gpt_core.config import TrainingConfig
from gpt_core.distributed import SINGLE, Group
from gpt_core.model import CalcLoss, GPTModel, require_device, resolve_auto
from gpt_core.records import Record, StepRecord
from gpt_core.text import Batch
from gpt_core.training.data import copied_ahead
from gpt_core.training.evaluation import evaluate, write_sample
from gpt_core.training.gradients import (
    choose_training_loss,
    clip_gradients,
    finite_grad_norm,
    gradient_function,
)
from gpt_core.training.inside import InsideRecorder
from gpt_core.training.lr_schedule import learning_rate_at, set_learning_rate, steps_in_run
from gpt_core.training.state import TrainingState
from gpt_core.vocabularies import Tokenizer

InspectUpdate = Callable[[list[Batch]], AbstractContextManager[None]]


def train(
    model: GPTModel,
    train_loader: DataLoader[Batch],
    val_loader: DataLoader[Batch],
    optimizer: Optimizer,
    tokenizer: Tokenizer,
    config: TrainingConfig,
    state: TrainingState | None = None,
    inspect_update: InspectUpdate = lambda batches: nullcontext(),
    group: Group = SINGLE,
    calc_loss: CalcLoss | None = None,
) -> Iterator[Record]:
    """Train the model, yielding a record for each step, evaluation and sample as it happens.

    Nothing runs between two records: the caller may pause, inspect the model, or end the run. If
    model and loaders have the same random generator, the same seed gives the losses in the book.

    Args:
        model, config: a new model, or one with loaded weights; how it is trained.
        train_loader, val_loader: the batches; the training's are used ``num_epochs`` times.
        optimizer, tokenizer: from :func:`create_optimizer`; for the samples and probes.
        state: where to resume, loaded with weights, optimizer and random state; None starts anew.
            It is updated in place, and complete whenever ``between_steps`` is true.
        inspect_update: maps an update's batches to a context around it, gradients ready.
        group: the processes that share each update's batches; all of them call this function.
        calc_loss: of :func:`choose_training_loss`, which is asked if it is None.

    Raises:
        ValueError: the model is not on the configuration's device.
        FloatingPointError: a loss or gradient is not finite; the update was not made.

    Source: the chapter, "Training an LLM", ``train_model_simple``; steps counted as there.
    """
    config = resolve_auto(config)
    state = TrainingState() if state is None else state
    require_device(model, config.device)
    loaders, total_steps = (train_loader, val_loader), steps_in_run(len(train_loader), config)
    calc_loss = calc_loss or choose_training_loss(model, train_loader, config, group).calc_loss
    inside = InsideRecorder(model, optimizer, train_loader, tokenizer, config)
    compute_gradients = gradient_function(model, optimizer, config, group, calc_loss)

    while state.epoch <= config.num_epochs:
        model.train()
        for batches in grouped(remaining_batches(train_loader, state), config, group):
            learning_rate = learning_rate_at(state.global_step + 1, total_steps, config)
            optimizer.zero_grad()
            loss = compute_gradients(batches, state.global_step + 1)
            grad_norm = finite_grad_norm(loss, model, learning_rate, state.global_step + 1)
            clip_gradients(model, config.max_grad_norm, grad_norm)
            set_learning_rate(optimizer, learning_rate)
            with inspect_update(batches):
                optimizer.step()
            state.count_update(batches)
            evaluates = state.global_step % config.eval_freq == 0
            ends_epoch = state.batches_done == len(train_loader)
            state.between_steps = not evaluates and not ends_epoch
            yield StepRecord(*state.position, loss.item(), grad_norm, learning_rate)

            if evaluates:
                measured = evaluate(model, *loaders, tokenizer, config, state, group)
                *records, last = measured + inside.records(state)
                yield from records
                state.between_steps = not ends_epoch
                yield last

        sample = write_sample(model, tokenizer, config, state)
        state.end_epoch()
        yield sample


def remaining_batches(train_loader: DataLoader[Batch], state: TrainingState) -> Iterator[Batch]:
    """Yield an epoch's batches or, in a resumed epoch, the remaining ones."""
    generator = train_loader.generator or torch.default_generator
    if state.epoch_rng_state is None:
        state.epoch_rng_state = generator.get_state()
        yield from train_loader
    else:
        # Draw the epoch's order again from the random state at its beginning, skip the batches
        # already used, and restore the random state in which the run stopped.
        rng_state = generator.get_state()
        generator.set_state(state.epoch_rng_state)
        batches = iter(train_loader)
        for _ in range(state.batches_done):
            next(batches)
        generator.set_state(rng_state)
        yield from batches


def grouped(
    batches: Iterable[Batch], config: TrainingConfig, group: Group = SINGLE
) -> Iterator[list[Batch]]:
    """Yield each update's batches; the last ones may be fewer.

    Those of a single process are on their way to the device; several take their shares first.
    """
    batches = copied_ahead(batches, config.device) if group.is_single else iter(batches)
    while update := list(islice(batches, config.accumulation_steps)):
        yield update

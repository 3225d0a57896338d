"""What a run measures between its updates: both losses, the probes, and a sample."""

import math

import torch
from torch.utils.data import DataLoader

from gpt_core.config import TrainingConfig
from gpt_core.model import GPTModel, autocast, calc_loss_loader, generate
from gpt_core.records import EvaluationRecord, ProbeRecord, SampleRecord
from gpt_core.text import Batch
from gpt_core.training.probes import probe_model
from gpt_core.training.state import TrainingState
from gpt_core.vocabularies import Tokenizer, text_to_token_ids, token_ids_to_text


def evaluate(
    model: GPTModel,
    train_loader: DataLoader[Batch],
    val_loader: DataLoader[Batch],
    tokenizer: Tokenizer,
    config: TrainingConfig,
    state: TrainingState,
) -> list[EvaluationRecord | ProbeRecord]:
    """Return a record of both losses after an update, then one record per probe.

    Raises:
        FloatingPointError: a loss is not finite.
    """
    with autocast(config):
        train_loss, val_loss = evaluate_model(
            model, train_loader, val_loader, config.device, config.eval_iter
        )
    losses = EvaluationRecord(
        state.global_step, state.epoch, state.tokens_seen, train_loss, val_loss
    )
    return [losses, *probe_model(model, tokenizer, config, state)]


def evaluate_model(
    model: GPTModel,
    train_loader: DataLoader[Batch],
    val_loader: DataLoader[Batch],
    device: torch.device | str,
    eval_iter: int,
) -> tuple[float, float]:
    """Return the mean loss on up to ``eval_iter`` batches of each split, dropout off.

    Raises:
        FloatingPointError: a loss is not finite.

    Source: the chapter, "Training an LLM", ``evaluate_model``.
    """
    model.eval()
    with torch.no_grad():
        train_loss = calc_loss_loader(train_loader, model, device, eval_iter)
        val_loss = calc_loss_loader(val_loader, model, device, eval_iter)
    model.train()
    if not (math.isfinite(train_loss) and math.isfinite(val_loss)):
        raise FloatingPointError(
            f"The evaluation's losses are {train_loss:.4g} and {val_loss:.4g}: the last updates "
            "were too large. Choose a smaller learning rate."
        )
    return train_loss, val_loss


def write_sample(
    model: GPTModel, tokenizer: Tokenizer, config: TrainingConfig, state: TrainingState
) -> SampleRecord:
    """Return a record of the sample that the model generates at the end of an epoch."""
    text = generate_sample(model, tokenizer, config)
    return SampleRecord(
        state.global_step, state.epoch, state.tokens_seen, config.start_context, text
    )


def generate_sample(model: GPTModel, tokenizer: Tokenizer, config: TrainingConfig) -> str:
    """Return ``start_context`` and the greedy continuation of ``sample_tokens`` tokens.

    Source: the chapter, "Training an LLM", ``generate_and_print_sample``.
    """
    model.eval()
    start_ids = text_to_token_ids(config.start_context, tokenizer).to(config.device)  # (1, T)
    with autocast(config):
        token_ids = generate(model, start_ids, config.sample_tokens)  # (1, T + sample_tokens)
    model.train()
    return token_ids_to_text(token_ids, tokenizer)

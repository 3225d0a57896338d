"""What a run measures between its updates: both losses, the probes, and a sample."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from gpt_core.config import TrainingConfig
from gpt_core.distributed import SINGLE, Group, sum_over_ranks
from gpt_core.model import GPTModel, autocast, generate, predict_batch
from gpt_core.records import EvaluationRecord, Record, SampleRecord
from gpt_core.text import Batch
from gpt_core.training.exact_match import asks_problems, count_exact
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
    group: Group = SINGLE,
) -> list[Record]:
    """Return a record of both losses after an update, then one record per probe.

    Raises:
        FloatingPointError: a loss is not finite.
    """
    with autocast(config):
        train, val = evaluate_model(
            model, train_loader, val_loader, config.device, config.eval_iter, tokenizer, group
        )
    evaluation = EvaluationRecord(
        state.global_step,
        state.epoch,
        state.tokens_seen,
        train_loss=train.loss,
        val_loss=val.loss,
        train_bits_per_byte=train.bits_per_byte,
        val_bits_per_byte=val.bits_per_byte,
        train_accuracy=train.accuracy,
        val_accuracy=val.accuracy,
        exact_match=val.exact_match,
    )
    return [evaluation, *probe_model(model, tokenizer, config, state)]


@dataclass(frozen=True)
class Measures:
    """How well a model predicts a text."""

    loss: float  # mean over the batches, in nats per token
    bits_per_byte: float  # which does not depend on how the text is cut into tokens
    accuracy: float  # fraction of the tokens that the model finds the most probable
    exact_match: float | None  # fraction of a task's answers that are right; None in other texts


def evaluate_model(
    model: GPTModel,
    train_loader: DataLoader[Batch],
    val_loader: DataLoader[Batch],
    device: torch.device | str,
    eval_iter: int,
    tokenizer: Tokenizer,
    group: Group = SINGLE,
) -> tuple[Measures, Measures]:
    """Measure the model on up to ``eval_iter`` batches of each split, dropout off.

    Raises:
        FloatingPointError: a loss is not finite.

    Source: the chapter, "Training an LLM", ``evaluate_model``, which returns the losses.
    """
    model.eval()
    train = measure_loader(train_loader, model, device, eval_iter, tokenizer, group)
    val = measure_loader(val_loader, model, device, eval_iter, tokenizer, group)
    model.train()
    if not (math.isfinite(train.loss) and math.isfinite(val.loss)):
        raise FloatingPointError(
            f"The evaluation's losses are {train.loss:.4g} and {val.loss:.4g}: the last updates "
            "were too large. Choose a smaller learning rate."
        )
    return train, val


def measure_loader(
    data_loader: Iterable[Batch],
    model: GPTModel,
    device: torch.device | str,
    num_batches: int,
    tokenizer: Tokenizer,
    group: Group = SINGLE,
) -> Measures:
    """Measure the model on the first ``num_batches`` batches; its loss is the chapter's.

    Each rank of a group measures its share of them.
    """
    losses: list[float] = []
    nats = num_bytes = right = tokens = exact = asked = 0.0
    asks = asks_problems(data_loader, tokenizer)
    for i, (input_batch, target_batch) in enumerate(data_loader):
        if i == num_batches:
            break
        if i % group.world_size != group.rank:
            continue
        loss, predicted_ids = predict_batch(input_batch, target_batch, model, device)
        losses.append(loss.item())
        tokens += target_batch.numel()
        nats += losses[-1] * target_batch.numel()
        num_bytes += int(token_bytes(tokenizer)[target_batch].sum())
        predicted_ids = predicted_ids.cpu()
        right += int((predicted_ids == target_batch).sum())
        if asks:
            answers = count_exact(input_batch, target_batch, predicted_ids, tokenizer)
            exact, asked = exact + answers[0], asked + answers[1]
    sums = (sum(losses), len(losses), nats, num_bytes, right, tokens, exact, asked)
    loss_sum, batches, nats, num_bytes, right, tokens, exact, asked = sum_over_ranks(sums, group)
    # A mean of the batches' means, as in the chapter; the last batch may be smaller.
    bits_per_byte = nats / math.log(2) / num_bytes
    exact_match = exact / asked if asked else None
    return Measures(loss_sum / batches, bits_per_byte, right / tokens, exact_match)


@lru_cache(maxsize=4)
def token_bytes(tokenizer: Tokenizer) -> Tensor:
    """Return the number of UTF-8 bytes of each token, (n_vocab,)."""
    ids = range(tokenizer.n_vocab)
    return torch.tensor([len(tokenizer.decode_single_token_bytes(i)) for i in ids])


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

    If the last token is the beginning of a character, that is left out.

    Source: the chapter, "Training an LLM", ``generate_and_print_sample``.
    """
    model.eval()
    start_ids = text_to_token_ids(config.start_context, tokenizer).to(config.device)  # (1, T)
    with autocast(config):
        token_ids = generate(model, start_ids, config.sample_tokens)  # (1, T + sample_tokens)
    model.train()
    return token_ids_to_text(token_ids, tokenizer, final=False)

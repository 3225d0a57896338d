"""The chapter's training loop, as a generator of records: no threads, no files, no printing."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import tiktoken
import torch
from torch.optim import AdamW, Optimizer
from torch.utils.data import DataLoader

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.corpus import split_text
from gpt_core.dataset import Batch, check_splits, create_dataloader
from gpt_core.generation import generate
from gpt_core.loss import calc_loss_batch, calc_loss_loader
from gpt_core.model import GPTModel
from gpt_core.records import EvaluationRecord, Record, SampleRecord, StepRecord
from gpt_core.tokenizer import encode_corpus, text_to_token_ids, token_ids_to_text


def train(
    model: GPTModel,
    train_loader: DataLoader[Batch],
    val_loader: DataLoader[Batch],
    optimizer: Optimizer,
    tokenizer: tiktoken.Encoding,
    config: TrainingConfig,
) -> Iterator[Record]:
    """Train the model, yielding a record for each step, evaluation and sample as it happens.

    The caller sets the pace: between two records nothing runs, so whoever pulls may pause,
    look, or stop by pulling no more. Dropout and shuffling draw from torch's global random
    generator in the order of the chapter's code: same seed, same losses as the book prints.

    Source: the chapter, "Training an LLM", ``train_model_simple``; steps counted as there.
    """
    device = torch.device(config.device)
    tokens_seen, global_step = 0, -1

    for epoch in range(1, config.num_epochs + 1):
        model.train()
        for input_batch, target_batch in train_loader:  # (B, T), (B, T)
            optimizer.zero_grad()
            with autocast(config):
                loss = calc_loss_batch(input_batch, target_batch, model, device)
            loss.backward()
            optimizer.step()
            tokens_seen += input_batch.numel()
            global_step += 1
            yield StepRecord(global_step, epoch, tokens_seen, loss.item())

            if global_step % config.eval_freq == 0:
                train_loss, val_loss = evaluate_model(model, train_loader, val_loader, config)
                yield EvaluationRecord(global_step, epoch, tokens_seen, train_loss, val_loss)

        text = generate_sample(model, tokenizer, config)
        yield SampleRecord(global_step, epoch, tokens_seen, config.start_context, text)


def evaluate_model(
    model: GPTModel,
    train_loader: DataLoader[Batch],
    val_loader: DataLoader[Batch],
    config: TrainingConfig,
) -> tuple[float, float]:
    """Return the mean loss on up to ``eval_iter`` batches of each split, dropout off."""
    model.eval()
    with torch.no_grad(), autocast(config):
        device = torch.device(config.device)
        train_loss = calc_loss_loader(train_loader, model, device, config.eval_iter)
        val_loss = calc_loss_loader(val_loader, model, device, config.eval_iter)
    model.train()
    return train_loss, val_loss


def generate_sample(model: GPTModel, tokenizer: tiktoken.Encoding, config: TrainingConfig) -> str:
    """Return ``start_context`` and the greedy continuation of ``sample_tokens`` tokens."""
    model.eval()
    start_ids = text_to_token_ids(config.start_context, tokenizer).to(config.device)  # (1, T)
    with autocast(config):
        token_ids = generate(model, start_ids, config.sample_tokens)  # (1, T + sample_tokens)
    model.train()
    return token_ids_to_text(token_ids, tokenizer)


def autocast(config: TrainingConfig) -> AbstractContextManager[object]:
    """Return the context in which matrix products run in bfloat16, if the precision says so.

    Weights, gradients and the optimizer's moments stay float32.
    """
    reduced = config.precision == "bfloat16"
    return torch.autocast(config.device, dtype=torch.bfloat16, enabled=reduced)


@dataclass(frozen=True)
class TrainingData:
    """The two splits of a text as token IDs, checked to be long enough, and their loaders."""

    train_tokens: int
    val_tokens: int
    train_loader: DataLoader[Batch]
    val_loader: DataLoader[Batch]


def prepare_data(
    text: str, tokenizer: tiktoken.Encoding, model_config: GPTConfig, config: TrainingConfig
) -> TrainingData:
    """Split a text, encode both parts and make the chapter's two loaders.

    The training loader shuffles and drops a last batch that is not full; the validation
    loader does neither. Both draw from torch's global generator when they are iterated.

    Raises:
        ValueError: the text is too short for a training batch and a validation window.
    """
    train_text, val_text = split_text(text, config.train_ratio)
    train_ids = encode_corpus(train_text, tokenizer)  # (train_tokens,)
    val_ids = encode_corpus(val_text, tokenizer)  # (val_tokens,)
    check_splits(
        len(train_ids),
        len(val_ids),
        model_config.context_length,
        config.batch_size,
        config.train_ratio,
        config.stride,
    )
    sizes = (config.batch_size, model_config.context_length, config.stride)
    return TrainingData(
        len(train_ids),
        len(val_ids),
        create_dataloader(train_ids, *sizes, shuffle=True, drop_last=True),
        create_dataloader(val_ids, *sizes, shuffle=False, drop_last=False),
    )


def create_optimizer(model: GPTModel, config: TrainingConfig) -> AdamW:
    """Return AdamW as in the chapter, in PyTorch's fused form: one pass over the weights."""
    return AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )


def check_device(device: str) -> None:
    """Raise ValueError unless this machine has the device."""
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available[device]:
        usable = ", ".join(name for name, there in available.items() if there)
        raise ValueError(f"device={device!r} is not available on this machine: choose {usable}.")

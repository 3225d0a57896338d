"""The chapter's training loop, as a generator of records: no threads, no files, no printing."""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import islice

import tiktoken
import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer
from torch.utils.data import DataLoader

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import (
    GPTModel,
    autocast,
    calc_loss_batch,
    calc_loss_loader,
    generate,
    loss_walkthrough,
    resolve_auto,
)
from gpt_core.records import EvaluationRecord, ProbeRecord, Record, SampleRecord, StepRecord
from gpt_core.schedule import learning_rate_at, steps_in_run
from gpt_core.text import Batch, TokenCache, check_splits, create_dataloader, split_text
from gpt_core.vocabularies import encode_corpus, text_to_token_ids, token_ids_to_text

PROBE_TOKENS = 8  # of the training text that one probe asks for


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
            loss = add_up_gradients(batches, model, config)
            grad_norm = check_finite(loss, model, learning_rate, state.global_step + 1)
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


def add_up_gradients(batches: list[Batch], model: GPTModel, config: TrainingConfig) -> Tensor:
    """Add up the gradients of the batches' mean loss; return that loss, a scalar.

    Several small batches, one after another, give the gradients of a single large one.
    """
    mean_loss = torch.zeros((), device=config.device)
    for input_batch, target_batch in batches:  # (B, T), (B, T)
        with autocast(config):
            loss = calc_loss_batch(input_batch, target_batch, model, config.device)
        (loss / len(batches)).backward()
        mean_loss += loss.detach() / len(batches)
    return mean_loss


def clip_gradients(model: GPTModel, max_grad_norm: float, grad_norm: float) -> None:
    """Scale the gradients down so that their norm, now ``grad_norm``, is ``max_grad_norm`` at most.

    Source: Pascanu et al. (2013), "On the difficulty of training recurrent neural networks".
    """
    norm = torch.tensor(grad_norm)
    torch.nn.utils.clip_grads_with_norm_(model.parameters(), max_grad_norm, norm)


def check_finite(loss: Tensor, model: GPTModel, learning_rate: float, global_step: int) -> float:
    """Return the norm of all gradients taken together.

    Raises:
        FloatingPointError: the loss or that norm is not finite.
    """
    norm = torch.nn.utils.get_total_norm(p.grad for p in model.parameters() if p.grad is not None)
    if not (torch.isfinite(loss) and torch.isfinite(norm)):
        raise FloatingPointError(
            f"Step {global_step}: the loss is {loss.item():.4g} and the gradient norm "
            f"{norm.item():.4g}, at learning_rate={learning_rate:g}. The update was not "
            "made. Choose a smaller learning rate, or precision float32."
        )
    return norm.item()


def evaluate_model(
    model: GPTModel,
    train_loader: DataLoader[Batch],
    val_loader: DataLoader[Batch],
    device: torch.device | str,
    eval_iter: int,
) -> tuple[float, float]:
    """Return the mean loss on up to ``eval_iter`` batches of each split, dropout off.

    Raises:
        FloatingPointError: one of the two is not finite.

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


def probe_model(
    model: GPTModel, tokenizer: tiktoken.Encoding, config: TrainingConfig, at: tuple[int, int, int]
) -> list[ProbeRecord]:
    """Return what the model makes of each probe, dropout off: nothing random is drawn.

    Always in float32: a few rows cost little, and bfloat16 has two digits for a probability.
    """
    model.eval()
    records = []
    for i, text in enumerate(config.probes):
        ids = text_to_token_ids(text, tokenizer).to(config.device)  # (1, T + 1)
        walk = loss_walkthrough(model, ids[:, :-1], ids[:, 1:])
        target_probas = tuple(walk.target_probas[0].tolist())  # T of them
        predicted_ids = tuple(walk.predicted_ids[0].tolist())
        records.append(ProbeRecord(*at, i, walk.loss.item(), target_probas, predicted_ids))
    model.train()
    return records


def generate_sample(model: GPTModel, tokenizer: tiktoken.Encoding, config: TrainingConfig) -> str:
    """Return ``start_context`` and the greedy continuation of ``sample_tokens`` tokens."""
    model.eval()
    start_ids = text_to_token_ids(config.start_context, tokenizer).to(config.device)  # (1, T)
    with autocast(config):
        token_ids = generate(model, start_ids, config.sample_tokens)  # (1, T + sample_tokens)
    model.train()
    return token_ids_to_text(token_ids, tokenizer)


@dataclass(frozen=True)
class TrainingData:
    """The two splits of a text as token IDs, checked to be long enough, and their loaders."""

    train_tokens: int
    val_tokens: int
    train_loader: DataLoader[Batch]
    val_loader: DataLoader[Batch]


def prepare_data(
    text: str,
    tokenizer: tiktoken.Encoding,
    model_config: GPTConfig,
    config: TrainingConfig,
    cache: TokenCache | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> TrainingData:
    """Split a text, encode both parts and make the chapter's two loaders.

    The training loader shuffles and drops a last batch that is not full; the validation
    loader does neither. Both draw from torch's global generator when they are iterated.

    Args:
        text: what is learnt from.
        tokenizer: from :func:`gpt_core.vocabularies.tokenizer.get_tokenizer`.
        model_config: its context_length is the length of a window.
        config: the share for training, batch size and stride.
        cache: where a long text's token IDs are kept.
        on_progress: called with the share of the text that is encoded, from 0 to 1.

    Raises:
        ValueError: the text is too short for a training batch and a validation window, or a
            probe is too short or too long.
    """
    train_ids, val_ids = encode_splits(text, tokenizer, config, cache, on_progress)
    check_splits(
        len(train_ids),
        len(val_ids),
        model_config.context_length,
        config.batch_size,
        config.train_ratio,
        config.stride,
    )
    if model_config.vocab_size < tokenizer.n_vocab:
        raise ValueError(
            f"vocab_size={model_config.vocab_size} is too small: the tokenizer's IDs go up to "
            f"{tokenizer.n_vocab - 1}. Choose {tokenizer.n_vocab} or more."
        )
    for probe in config.probes:
        length = text_to_token_ids(probe, tokenizer).shape[1]
        if not 2 <= length <= model_config.context_length + 1:
            raise ValueError(
                f"The probe {probe!r} has {length} tokens: give it 2 to "
                f"{model_config.context_length + 1}, so that there is a next token to predict."
            )
    sizes = (config.batch_size, model_config.context_length, config.stride)
    return TrainingData(
        len(train_ids),
        len(val_ids),
        create_dataloader(train_ids, *sizes, shuffle=True, drop_last=True),
        create_dataloader(val_ids, *sizes, shuffle=False, drop_last=False),
    )


def encode_splits(
    text: str,
    tokenizer: tiktoken.Encoding,
    config: TrainingConfig,
    cache: TokenCache | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """Split a text by characters and encode each part: (train_tokens,) and (val_tokens,), int32.

    Arguments are those of :func:`prepare_data`.
    """
    splits: list[Tensor] = []
    done = 0
    for part in split_text(text, config.train_ratio):

        def report(share: float, before: int = done, size: int = len(part)) -> None:
            if on_progress:
                on_progress((before + share * size) / len(text))

        def encode(part: str = part, report: Callable[[float], None] = report) -> Tensor:
            return encode_corpus(part, tokenizer, config.end_of_text, report)

        name = f"{done}-{done + len(part)}{'' if config.end_of_text else '-plain'}"
        splits.append(cache.get(_sha256(text), name, encode) if cache else encode())  # (N,)
        done += len(part)
    return splits[0], splits[1]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()


def with_text_probe(
    config: TrainingConfig, text: str, tokenizer: tiktoken.Encoding, context_length: int
) -> TrainingConfig:
    """Return the configuration with one probe more: how a line early in the text begins.

    Beside rows that the text does not hold, it shows what is being learnt by heart. A text that
    is too short for it leaves the configuration as it is.
    """
    beginning = text[:10_000].strip()
    lines = [line.strip() for line in beginning.splitlines()]
    long_enough = (line for line in lines if len(line.split()) > PROBE_TOKENS)  # no heading
    ids = text_to_token_ids(next(long_enough, beginning), tokenizer)  # (1, N)
    longest = min(PROBE_TOKENS + 1, context_length + 1, ids.shape[1])
    for length in range(longest, 1, -1):
        probe = token_ids_to_text(ids[:, :length], tokenizer)
        # Cut in the middle of a character, or of what is a single token, it would read otherwise.
        if torch.equal(text_to_token_ids(probe, tokenizer), ids[:, :length]):
            return replace(config, probes=tuple(dict.fromkeys((*config.probes, probe))))
    return config


def create_optimizer(model: GPTModel, config: TrainingConfig) -> AdamW:
    """Return AdamW as in the chapter, in PyTorch's fused form: one pass over the weights.

    The model must be on its device already.
    """
    optimizer = AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    # The moments at once, as the first step would make them: there they would be cut out of
    # the memory that the step's temporaries have just left, which would then be missing.
    for parameter in model.parameters():
        optimizer.state[parameter] = {
            "step": torch.zeros((), device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer

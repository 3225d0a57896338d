"""What rank 0 sends to the other ranks, so that they train the run that its store holds.

They need no store and no disk in common: the run's settings, vocabulary, tokens, and the state of
the checkpoint come from rank 0, the weights with DistributedDataParallel.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.optim import Optimizer

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.distributed.collectives import (
    losses_of_ranks,
    share_moments,
    share_object,
    share_tokens,
)
from gpt_core.distributed.control import Command, receive, tell
from gpt_core.distributed.group import Group
from gpt_core.model import GPTModel
from gpt_core.text import TokenCache


@dataclass(frozen=True)
class SharedRun:
    """A run, as all ranks need to know it."""

    model_config: GPTConfig
    config: TrainingConfig
    vocabulary: str  # its tokenizer.json; "" for GPT-2's
    text_sha256: str
    token_counts: tuple[int, int]  # of the training and the validation split
    token_files: tuple[str, str]  # the names of both in the token cache


Splits = tuple[Tensor, Tensor]  # the token IDs of both


def announce_run(run: SharedRun, splits: Splits, cache: TokenCache, group: Group) -> Group:
    """Describe a run to the other ranks; return the group with a channel on the run's device."""
    if group.is_single:
        return group
    tell(Command.BUILD, group)
    with losses_of_ranks(group):
        share_object(run, group)
        _share_splits(run, splits, cache, group)
        return group.with_channel(run.config.device)


def join_run(cache: TokenCache, group: Group) -> tuple[SharedRun, Splits, Group]:
    """Return on another rank what rank 0 announces: the run, its tokens, and the group."""
    command = receive(group)
    assert command is Command.BUILD
    with losses_of_ranks(group):
        run: SharedRun = share_object(None, group)
        splits = _share_splits(run, (None, None), cache, group)
        return run, splits, group.with_channel(run.config.device)


@dataclass(frozen=True)
class SharedState:
    """The state in which a run begins or resumes, but for weights and moments."""

    training: object  # a TrainingState
    random_state: dict[str, Tensor]  # of the model's generators
    has_moments: bool  # whether the optimizer has made updates


def send_state(state: SharedState, model: GPTModel, optimizer: Optimizer, group: Group) -> None:
    """Send the state in which the run begins or resumes to all ranks."""
    if group.is_single:
        return
    tell(Command.LOAD, group)
    with losses_of_ranks(group):
        _share_state(state, model, optimizer, group)


def receive_state(model: GPTModel, optimizer: Optimizer, group: Group) -> SharedState:
    """Receive on another rank what :func:`send_state` sends."""
    command = receive(group)
    assert command is Command.LOAD
    with losses_of_ranks(group):
        return _share_state(None, model, optimizer, group)


def _share_state(
    state: SharedState | None, model: GPTModel, optimizer: Optimizer, group: Group
) -> SharedState:
    shared = share_object(state, group)
    if shared.has_moments:
        share_moments(optimizer, model.parameters(), group)
    return shared


def _share_splits(
    run: SharedRun, splits: tuple[Tensor | None, Tensor | None], cache: TokenCache, group: Group
) -> Splits:
    train_ids, val_ids = (
        share_tokens(ids, length, run.text_sha256, part, cache, group)
        for ids, length, part in zip(splits, run.token_counts, run.token_files, strict=True)
    )
    return train_ids, val_ids

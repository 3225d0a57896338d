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


def send_state(
    model: GPTModel, optimizer: Optimizer, facts: dict[str, object], group: Group
) -> None:
    """Send the state in which the run begins or resumes, but for its weights, to all ranks.

    Args:
        model: with its weights.
        optimizer: in its state.
        facts: what else belongs to the state, as a dictionary that can be pickled.
        group: the processes.
    """
    if group.is_single:
        return
    tell(Command.LOAD, group)
    with losses_of_ranks(group):
        share_object(facts, group)
        share_moments(optimizer, model.parameters(), group)


def receive_state(model: GPTModel, optimizer: Optimizer, group: Group) -> dict[str, object]:
    """Receive what :func:`send_state` sends; return the facts."""
    command = receive(group)
    assert command is Command.LOAD
    with losses_of_ranks(group):
        facts: dict[str, object] = share_object(None, group)
        share_moments(optimizer, model.parameters(), group)
    return facts


def _share_splits(
    run: SharedRun, splits: tuple[Tensor | None, Tensor | None], cache: TokenCache, group: Group
) -> Splits:
    train_ids, val_ids = (
        share_tokens(ids, length, run.text_sha256, part, cache, group)
        for ids, length, part in zip(splits, run.token_counts, run.token_files, strict=True)
    )
    return train_ids, val_ids

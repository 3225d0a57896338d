"""What rank 0 tells the other ranks: when the run's turns and updates begin, and when it ends.

Today's code drives rank 0 as if it trained alone. The others wait for its word: within a turn for
the group's timeout at most, between two turns (the run is prepared, or paused) as long as it takes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum, auto

import torch
import torch.distributed as dist
from torch.optim import Optimizer

from gpt_core.distributed.collectives import GroupEnded, losses_of_ranks
from gpt_core.distributed.group import Group
from gpt_core.distributed.sharding import Sharded


class Command(IntEnum):
    """What comes next on all ranks."""

    BEGIN_TURN = auto()
    END_TURN = auto()
    BUILD = auto()  # rank 0 describes the run
    LOAD = auto()  # rank 0 sends the state of the run
    UPDATE = auto()  # the next one
    SAVE = auto()  # rank 0 collects what the optimizer's shards hold
    END = auto()


def tell(command: Command, group: Group, value: int = 0) -> None:
    """Send a command from rank 0 to the other ranks, which wait for one."""
    if group.is_single or group.is_lost.is_set():
        return
    message = torch.tensor([command, value])
    with losses_of_ranks(group):
        dist.broadcast(message, src=0, group=None if group.in_turn.is_set() else group.patient)


def receive(group: Group) -> Command:
    """Return rank 0's next command but those that begin and end turns.

    Raises:
        GroupEnded: rank 0 has ended the run.
        RankLostError: rank 0 is gone.
    """
    message = torch.zeros(2, dtype=torch.int64)
    while True:
        with losses_of_ranks(group):
            dist.broadcast(message, src=0, group=None if group.in_turn.is_set() else group.patient)
        command, value = Command(int(message[0])), int(message[1])
        match command:
            case Command.BEGIN_TURN:
                group.in_turn.set()
            case Command.END_TURN:
                group.in_turn.clear()
            case Command.END:
                raise GroupEnded(value)
            case _:
                return command


def begin_turn(group: Group) -> None:
    """Let the other ranks wait for the next command, for the group's timeout at most."""
    if not group.is_single and not group.in_turn.is_set():
        tell(Command.BEGIN_TURN, group)
        group.in_turn.set()


def end_turn(group: Group) -> None:
    """Let the other ranks wait as long as it takes."""
    if not group.is_single and group.in_turn.is_set():
        tell(Command.END_TURN, group)
        group.in_turn.clear()


def begin_update(optimizer: Optimizer, group: Group) -> None:
    """Begin an update on all ranks when rank 0 does; on the others, obey it until then.

    Raises:
        GroupEnded: rank 0 has ended the run instead.
    """
    if group.is_main:
        tell(Command.UPDATE, group)
        return
    while (command := receive(group)) is not Command.UPDATE:
        serve(command, optimizer)


def serve(command: Command, optimizer: Optimizer) -> None:
    """Do what rank 0 commands between two updates."""
    assert command is Command.SAVE
    if isinstance(optimizer, Sharded):
        optimizer.gather()


@contextmanager
def whole_optimizer(optimizer: Optimizer, group: Group) -> Iterator[None]:
    """Have a sharded optimizer's moments on rank 0 in this context, to save them."""
    if not isinstance(optimizer, Sharded):
        yield
        return
    tell(Command.SAVE, group)
    with losses_of_ranks(group):
        optimizer.gather()
    try:
        yield
    finally:
        optimizer.keep_own()

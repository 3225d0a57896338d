"""A command that trains, in each of the processes that torchrun starts for it."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import suppress

from gpt_core.cli.commands import REFUSED
from gpt_core.config import TrainingConfig
from gpt_core.distributed import (
    Command,
    Group,
    RankLostError,
    describe_shares,
    join_group,
    leave_group,
    tell,
)
from gpt_core.validation import check_number


def run_in_group(
    options: argparse.Namespace, command: Callable[[argparse.Namespace, Group], int]
) -> int:
    """Run a command on rank 0, while the other ranks train with it; return its exit code.

    Raises:
        ValueError: --rank-timeout is not a number of seconds, or the command is refused.
    """
    check_number("rank_timeout", options.rank_timeout, lambda x: 0 < x <= 1e6, "above 0")
    group = join_group(options.rank_timeout)
    if not group.is_main:
        from gpt_core.cli.follower import follow  # here: a single process has no use for it

        code = follow(group, options.runs_dir)
        leave_group(group)
        return code
    code = REFUSED
    try:
        code = command(options, group)
    finally:
        with suppress(RankLostError):
            tell(Command.END, group, code)
        leave_group(group)
    return code


def launcher(program: str, group: Group) -> str:
    """Return the beginning of a command that starts as many processes again."""
    if group.is_single:
        return program
    if len(set(group.hosts)) > 1:
        return "torchrun … -m gpt_core"
    return f"torchrun --nproc-per-node={group.world_size} -m gpt_core"


def notes_on_processes(config: TrainingConfig, group: Group) -> Iterator[str]:
    """Yield sentences on what a run's settings mean for its processes."""
    if config.shard_optimizer and group.is_single:
        yield "shard_optimizer has no effect: there is one process. Start several with torchrun."
    if not group.is_single:
        batches, size = config.accumulation_steps, config.batch_size
        yield (
            f"{group.world_size} processes: an update averages {batches} batches of {size} "
            f"windows (accumulation_steps={batches} in the run's record)."
        )
        if note := describe_shares(group, batches):
            yield note

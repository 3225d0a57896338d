"""What the ranks exchange: numbers, objects, token IDs, and an optimizer's state."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.optim import Optimizer

from gpt_core.distributed.group import Group
from gpt_core.distributed.sharding import Sharded
from gpt_core.text import TokenCache

T = TypeVar("T")
CHUNK = 2**24  # token IDs that are sent at once


class RankLostError(RuntimeError):
    """Another process of the run has ended, or does not answer."""


class GroupEnded(Exception):
    """Rank 0 has ended the run; its exit code is that of all ranks."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@contextmanager
def losses_of_ranks(group: Group) -> Iterator[None]:
    """Turn the error of a broken connection between the ranks into a sentence.

    After any other error, too, the ranks no longer wait for the same thing: nothing more is sent.
    Only what happens on all of them alike leaves them together.

    Raises:
        RankLostError: another process has ended, or has not answered in the group's time.
    """
    try:
        yield
    except (GroupEnded, FloatingPointError):
        raise
    except Exception as error:
        if group.is_single or isinstance(error, RankLostError):
            raise
        group.is_lost.set()
        text = str(error).lower()
        if not (isinstance(error, dist.DistError) or "gloo" in text or "nccl" in text):
            raise
        is_late = "timed out" in text or "timeout" in text
        what = f"did not answer for {group.timeout:g} seconds" if is_late else "has ended"
        raise RankLostError(
            f"Another of the {group.world_size} processes of the run {what}. What was recorded is "
            "kept: resume the run from its last checkpoint."
        ) from error


def share_object(value: T | None, group: Group) -> T:
    """Return rank 0's object on every rank."""
    values = [value]
    dist.broadcast_object_list(values, src=0)
    shared = values[0]
    assert shared is not None
    return shared


def sum_over_ranks(numbers: Sequence[float], group: Group) -> list[float]:
    """Add up each of some numbers over all ranks."""
    if group.is_single:
        return list(numbers)
    total = torch.tensor(numbers, dtype=torch.float64)
    dist.all_reduce(total)
    return total.tolist()


def share_tokens(
    ids: Tensor | None, length: int, text_sha256: str, part: str, cache: TokenCache, group: Group
) -> Tensor:
    """Return rank 0's token IDs (N,) on every rank: from disk or, where they are not, from rank 0.

    The ranks of one machine, and those that share its disk, read the same file.

    Args:
        ids: the IDs on rank 0, None on the others.
        length: their number.
        text_sha256: the text's hash.
        part: which part of the text it is, and how it is encoded.
        cache: the token cache of this process's runs directory.
        group: the processes.
    """
    own = ids if group.is_main else _find(cache, text_sha256, part)
    [lacking] = sum_over_ranks([own is None], group)
    if lacking:
        sent = torch.empty(length, dtype=torch.int32) if own is None else own
        for start in range(0, length, CHUNK):
            piece = sent[start : start + CHUNK].to(torch.int32).clone()
            dist.broadcast(piece, src=0)
            if own is None:
                sent[start : start + CHUNK] = piece
        own = cache.get(text_sha256, part, lambda: sent) if own is None else own
    assert own is not None
    assert len(own) == length
    return own


def _find(cache: TokenCache, text_sha256: str, part: str) -> Tensor | None:
    def lacking() -> Tensor:
        raise LookupError

    try:
        return cache.get(text_sha256, part, lacking)
    except LookupError:
        return None


def share_moments(optimizer: Optimizer, parameters: Iterable[Tensor], group: Group) -> None:
    """Copy what rank 0's optimizer keeps of each parameter to the ranks that keep it."""
    if isinstance(optimizer, Sharded):
        optimizer.scatter()
        return
    for parameter in parameters:
        kept = optimizer.state[parameter]
        for name in sorted(kept):
            dist.broadcast(kept[name], src=0, group=group.gradients)

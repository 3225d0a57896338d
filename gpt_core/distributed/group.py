"""The processes that train one run together, as torchrun starts them."""

import gc
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

RANK_TIMEOUT = 600.0  # seconds in which a process must answer, if no other number is given
PATIENCE = timedelta(days=20)  # of a process that waits while the run is paused or prepared


@dataclass(frozen=True)
class Group:
    """The processes that train one run, and this one's place among them.

    Rank 0 has the store and decides what comes next; the others follow it.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    timeout: float = RANK_TIMEOUT  # seconds
    hosts: tuple[str, ...] = ()  # of each rank
    patient: dist.ProcessGroup | None = None  # for waiting between two turns of the run
    gradients: dist.ProcessGroup | None = None  # on the run's device; None is the default group
    in_turn: threading.Event = field(default_factory=threading.Event, compare=False)
    wants_end: threading.Event = field(default_factory=threading.Event, compare=False)  # a signal
    is_lost: threading.Event = field(default_factory=threading.Event, compare=False)

    @property
    def is_main(self) -> bool:
        """Tell whether this is rank 0, which has the store and prints."""
        return self.rank == 0

    @property
    def is_single(self) -> bool:
        """Tell whether there are no other processes, so that nothing is exchanged."""
        return self.world_size == 1

    def facts(self, device: str) -> dict[str, str]:
        """Return what a run's record says of its processes; nothing of a single one."""
        if self.is_single:
            return {}
        return {
            "processes": str(self.world_size),
            "devices": f"{self.world_size} × {device}",
            "hosts": ", ".join(dict.fromkeys(self.hosts)),
        }

    def with_channel(self, device: str) -> "Group":
        """Return the group with a channel for gradients on a device; all ranks ask together.

        Raises:
            ValueError: PyTorch has no channel between processes on this kind of device.
        """
        if not self.is_single and device == "mps":
            raise ValueError("device='mps' trains in one process only: choose cpu, or start one.")
        if self.is_single or device != "cuda":
            return self
        timeout = timedelta(seconds=self.timeout)
        return replace(self, gradients=dist.new_group(None, timeout, "nccl"))


SINGLE = Group()


def join_group(timeout: float = RANK_TIMEOUT) -> Group:
    """Join the processes that torchrun has started; without torchrun, return ``SINGLE``.

    Call it before anything asks for a GPU: from then on this process sees only its own, so that
    "cuda" is another one in each process of a machine.

    Args:
        timeout: the seconds after which a process that does not answer is given up.

    Source: Li et al. (2020), "PyTorch Distributed: Experiences on Accelerating Data Parallel
    Training".
    """
    if not is_distributed():
        return SINGLE
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = visible.split(",") if visible is not None else [str(local_rank)] * (local_rank + 1)
    has_own = local_rank < len(devices)
    os.environ["CUDA_VISIBLE_DEVICES"] = devices[local_rank] if has_own else ""
    # Control and numbers travel between CPUs; gradients have a channel of their own on GPUs.
    store, rank, world_size = meet_ranks(timedelta(seconds=max(timeout, RANK_TIMEOUT)))
    own = timedelta(seconds=timeout)
    dist.init_process_group("gloo", None, own, world_size, rank, store)
    hosts: list[str] = [""] * dist.get_world_size()
    dist.all_gather_object(hosts, socket.gethostname())
    return Group(
        dist.get_rank(),
        dist.get_world_size(),
        local_rank,
        timeout=timeout,
        hosts=tuple(hosts),
        patient=dist.new_group(None, PATIENCE, "gloo"),
    )


def is_distributed() -> bool:
    """Tell whether torchrun, or another launcher, has started several processes of this kind."""
    names = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    return all(name in os.environ for name in names) and int(os.environ["WORLD_SIZE"]) > 1


def meet_ranks(timeout: timedelta) -> tuple[Store, int, int]:
    """Return a store that only these processes have, this one's rank, and their number.

    torchrun gives the processes that it starts again the store of those before them. There a rank
    could read where a process listened that has ended. Rank 0 therefore chooses a new prefix, and
    answers each rank that has read it; who has read an older one is not answered, and reads again.
    """
    store, rank, world_size = next(rendezvous("env://", timeout=timeout))
    own = secrets.token_hex(8)
    if rank == 0:
        store.set("gpt_core/prefix", own)
        for other in range(1, world_size):
            name = store.get(f"gpt_core/{own}/{other}").decode()
            store.set(f"gpt_core/{name}", "answered")
        return PrefixStore(own, store), rank, world_size
    deadline = time.monotonic() + timeout.total_seconds()
    while True:
        prefix = store.get("gpt_core/prefix").decode()
        store.set(f"gpt_core/{prefix}/{rank}", own)
        try:
            store.wait([f"gpt_core/{own}"], timedelta(seconds=1))
        except dist.DistStoreError:
            if time.monotonic() > deadline:
                raise
        else:
            return PrefixStore(prefix, store), rank, world_size


def leave_group(group: Group) -> None:
    """Close the connections to the other processes, once all have come here."""
    if group.is_single or group.is_lost.is_set():
        return
    gc.collect()  # what still holds a connection
    with suppress(RuntimeError):  # another process has ended first
        dist.barrier()
    dist.destroy_process_group()


def describe_resumption(then: dict[str, str], group: Group, batches: int, has_dropout: bool) -> str:
    """Return a sentence on what changes if other processes resume a run, or "".

    Args:
        then: the properties of the machine with which the run began.
        group: the processes that resume it.
        batches: the number of batches in one update.
        has_dropout: whether the run draws dropout.
    """
    before = int(then.get("processes", "1"))
    if before == group.world_size:
        return ""
    now = "1 process" if group.is_single else f"{group.world_size} processes"
    draws = "Dropout draws other numbers. " if has_dropout else ""
    return (
        f"Resumed with {now} instead of {before}: an update averages the same {batches} batches, "
        f"so that losses differ only in the last digits. {draws}{describe_shares(group, batches)}"
    ).strip()


def describe_shares(group: Group, batches: int) -> str:
    """Return a sentence if an update's batches cannot be shared evenly among the ranks, or ""."""
    if batches % group.world_size == 0:
        return ""
    return (
        f"{group.world_size} processes share the {batches} batches of an update unevenly: some "
        f"wait for others. Choose accumulation_steps divisible by {group.world_size}."
    )

"""The machine and the processes that train a run: for its record, and what has changed since."""

import logging

import psutil
import torch

from gpt_core.config import TrainingConfig
from gpt_core.distributed import LAUNCH, Group, describe_resumption, launch_id
from gpt_core.model import utilization
from gpt_core.store import Run
from gpt_core.system import describe_change, describe_machine

log = logging.getLogger(__name__)


def machine_facts(threads: int, group: Group, config: TrainingConfig) -> dict[str, str]:
    """Return what a run's record says of the machine and the processes that train it."""
    launch = launch_id()
    started = {LAUNCH: launch} if launch else {}
    machine = describe_machine(threads, config.device)
    return {**machine, **group.facts(config.device), **started}


def describe_machine_change(run: Run, threads: int, group: Group) -> str:
    """Return what of the machine and the processes has changed since a run began, or ""."""
    config, has_dropout = run.training_config, run.model_config.drop_rate > 0
    machine = describe_change(run.versions, describe_machine(threads, config.device))
    ranks = describe_resumption(run.versions, group, config.accumulation_steps, has_dropout)
    return f"{machine} {ranks}".strip()


def read_memory(process: psutil.Process, device: torch.device) -> int:
    """Return a process's memory in bytes, or 0, a gap in the record, if it is not told.

    On CUDA it is the most that PyTorch has allocated on the GPU since the model was built.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        return int(process.memory_info().rss)
    except (psutil.Error, OSError):
        log.warning("the memory of the process could not be read", exc_info=True)
        return 0


def describe_speed(run: Run, tokens_per_second: float, unit: str = "") -> str:
    """Return a run's speed, with its MFU over all its devices where their peak is known."""
    device = run.versions.get("gpu", "")
    configs = (run.model_config, run.training_config)
    share = utilization(*configs, device, tokens_per_second, run.processes)
    speed = f"{tokens_per_second:,.0f}{unit}"
    return speed if share is None else f"{speed}, {share:.0%} MFU"

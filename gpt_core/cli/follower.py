"""What the processes other than rank 0 do: train the run that rank 0 announces, in silence."""

import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import torch
from torch.optim import Optimizer

from gpt_core.cli.commands import FAILED
from gpt_core.config import TrainingConfig
from gpt_core.distributed import (
    Group,
    GroupEnded,
    RankLostError,
    join_run,
    losses_of_ranks,
    receive,
    receive_state,
    serve,
)
from gpt_core.model import check_device, outline, set_random_state, tf32_products
from gpt_core.system import keep_freed_memory
from gpt_core.text import token_cache_in
from gpt_core.training import (
    TrainingState,
    create_optimizer,
    load_splits,
    train,
)
from gpt_core.vocabularies import read_vocabulary


def follow(group: Group, runs_dir: Path) -> int:
    """Train with rank 0 until it ends the run; return its exit code.

    A signal to this process ends the run on all ranks after the next update, with a checkpoint.

    Args:
        group: the processes, of which this is not rank 0.
        runs_dir: where this machine keeps token files.
    """
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: group.wants_end.set())
    keep_freed_memory()
    try:
        with losses_of_ranks(group):
            _train(group, runs_dir)
    except GroupEnded as ended:
        return ended.code
    except RankLostError as error:
        print(f"Rank {group.rank}: {error}", file=sys.stderr)
        return FAILED


def _train(group: Group, runs_dir: Path) -> NoReturn:
    """Train until :class:`GroupEnded` is raised."""
    run, (train_ids, val_ids), group = join_run(token_cache_in(runs_dir), group)
    config = _unwatched(run.config)
    check_device(config.device)
    generator = torch.Generator()
    model = outline(run.model_config, generator).to_empty(device=config.device)
    model.vocabulary = run.vocabulary
    optimizer = create_optimizer(model, config, group)
    shared = receive_state(model, optimizer, group)
    set_random_state(model, shared.random_state)
    data = load_splits(train_ids, val_ids, run.model_config, config, generator)
    loaders = (data.train_loader, data.val_loader)
    tokenizer = read_vocabulary(run.vocabulary)
    state = shared.training
    assert isinstance(state, TrainingState)
    try:
        with tf32_products(config):
            for _ in train(model, *loaders, optimizer, tokenizer, config, state, group=group):
                pass
    except FloatingPointError:  # on all ranks alike: rank 0 says it
        pass
    _wait_for_the_end(optimizer, group)


def _wait_for_the_end(optimizer: Optimizer, group: Group) -> NoReturn:
    while True:
        serve(receive(group), optimizer)


def _unwatched(config: TrainingConfig) -> TrainingConfig:
    """Return the configuration without what rank 0 alone records."""
    return replace(config, probes=(), sample_tokens=1, record_inside=False)

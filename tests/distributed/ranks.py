"""A process of several that train together, and the same training in a single one.

    torchrun --standalone --nproc-per-node=2 -m tests.distributed.ranks FILE [CASE …]

Rank 0 writes what each case gave into a JSON file.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.distributed import (
    SINGLE,
    Group,
    join_group,
    leave_group,
    share_tokens,
    sum_over_ranks,
)
from gpt_core.model import build_model
from gpt_core.records import EvaluationRecord, StepRecord
from gpt_core.text import TokenCache, load_text
from gpt_core.training import create_optimizer, fit_vocabulary, prepare_data, train

MODEL = GPTConfig(context_length=32, emb_dim=16, n_heads=2, n_layers=2, drop_rate=0.0)
TRAINING = TrainingConfig(num_epochs=5, learning_rate=5e-3, eval_freq=8, sample_tokens=1, probes=())
UPDATE_BATCHES = {2: 5, 3: 4}  # by the number of processes: neither can share them evenly
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # changes of model and training
    "float64": ({}, {}),
    "float32": ({}, {}),
    "clipped, tied, rotary": (
        {"tied_head": True, "initialization": "gpt2", "positions": "rotary"},
        {"max_grad_norm": 0.1, "vocabulary": "characters", "schedule": "cosine"},
    ),
    "muon": ({}, {"optimizer": "muon", "vocabulary": "characters"}),
    "sharded": ({}, {"shard_optimizer": True}),
    "dropout": ({"drop_rate": 0.2}, {"num_epochs": 1}),
    "dropout again": ({"drop_rate": 0.2}, {"num_epochs": 1}),
    "uncompiled": ({}, {"num_epochs": 40}),
    "compiled": ({}, {"num_epochs": 40, "compile": True}),
}
SLOW = ("uncompiled", "compiled")  # only if asked for


def losses_of(case: str, batches: int, group: Group = SINGLE) -> dict[str, Any]:
    """Return a case's losses: of each step, each evaluation, and the ranks' largest difference."""
    model_changes, changes = CASES[case]
    config = replace(TRAINING, accumulation_steps=batches, **changes)
    corpus = load_text("counting")
    fitted = fit_vocabulary(corpus.text, replace(MODEL, **model_changes), config)
    generator = torch.Generator()
    data = prepare_data(
        corpus.text, fitted.tokenizer, fitted.model_config, config, generator=generator
    )
    model = build_model(fitted.model_config, config.seed, generator)
    if case == "float64":
        model = model.double()
    optimizer = create_optimizer(model, config, group)
    loaders = (data.train_loader, data.val_loader)
    steps, evaluations = [], []
    for record in train(model, *loaders, optimizer, fitted.tokenizer, config, group=group):
        if isinstance(record, StepRecord):
            steps.append(record.loss)
        elif isinstance(record, EvaluationRecord):
            evaluations.append([record.train_loss, record.val_loss, record.val_accuracy])
    weights = sum(p.double().abs().sum().item() for p in model.parameters())
    [of_all] = sum_over_ranks([weights], group)
    differ = abs(of_all / group.world_size - weights)
    drawn = generator.get_state().sum().item()
    return {"steps": steps, "evaluations": evaluations, "differ": differ, "generator": drawn}


def tokens_of(folder: Path, group: Group) -> list[str]:
    """Return how each rank came by rank 0's token IDs, twice, with a token cache of its own."""
    ids = torch.arange(150_000, dtype=torch.int32)  # enough to be kept
    cache = TokenCache(folder / str(group.rank))
    if group.is_main:
        cache.get("a-text", "part", lambda: ids)
    ways = []
    for _ in range(2):
        from_disk = [bool(list((folder / str(group.rank)).glob("*.npy")))]
        own = share_tokens(ids if group.is_main else None, len(ids), "a-text", "part", cache, group)
        assert torch.equal(own, ids)
        [count] = sum_over_ranks(from_disk, group)
        ways.append(f"{count:g} from disk")
    return ways


def main(arguments: Sequence[str]) -> None:
    """Run the given cases on all ranks, or all that are not slow."""
    group = join_group(timeout=300)
    cases = arguments[1:] or [case for case in CASES if case not in SLOW]
    results: dict[str, Any] = {
        case: losses_of(case, UPDATE_BATCHES[group.world_size], group) for case in cases
    }
    results["tokens"] = tokens_of(Path(arguments[0]).parent, group)
    if group.is_main:
        Path(arguments[0]).write_text(json.dumps(results))
    leave_group(group)


if __name__ == "__main__":
    main(sys.argv[1:])

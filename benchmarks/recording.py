"""What writing everything down costs the training loop: ``python -m benchmarks.recording``.

A: the plain loop, nothing kept. B: the same steps through a Session that writes them to a
store on disk. Both on the pocket preset, without evaluations and checkpoints in between, by
turns. The ratio is B's time over A's.
"""

import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from benchmarks.pairs import measure_pairs, print_result
from gpt_core import (
    PRESETS,
    GPTModel,
    RunStore,
    create_optimizer,
    get_tokenizer,
    load_text,
    prepare_data,
    train,
)
from gpt_core.session import Session

STEPS, WARM_UP, PAIRS = 60, 5, 7
PRESET = PRESETS["pocket"]
CONFIG = replace(PRESET.training, eval_freq=100_000, keep_epochs=0, probes=())
TEXT = load_text("the-lamp-room").text


def seconds_of_the_plain_loop() -> float:
    """Train without keeping anything."""
    tokenizer = get_tokenizer()
    data = prepare_data(TEXT, tokenizer, PRESET.model, CONFIG)
    torch.manual_seed(CONFIG.seed)
    model = GPTModel(PRESET.model)
    loaders = (data.train_loader, data.val_loader)
    optimizer = create_optimizer(model, CONFIG)
    records = train(model, *loaders, optimizer, tokenizer, CONFIG)
    list(islice(records, WARM_UP))
    began = time.perf_counter()
    list(islice(records, STEPS))
    return time.perf_counter() - began


def seconds_with_a_store() -> float:
    """Train as the runner does, everything written to a store."""
    data = prepare_data(TEXT, get_tokenizer(), PRESET.model, CONFIG)
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder))
        sizes = (data.train_tokens, data.val_tokens, CONFIG.num_epochs * len(data.train_loader))
        store.add_run("run", "local", "pocket", PRESET.model, CONFIG, "text", "0" * 64, *sizes, {})
        run = store.run("run")
        assert run is not None
        session = Session(store, run, data)
        session.enter()
        for _ in range(WARM_UP):
            session.advance()
        began = time.perf_counter()
        for _ in range(STEPS):
            session.advance()
        session.flush()
        seconds = time.perf_counter() - began
        store.close()
    return seconds


if __name__ == "__main__":
    print_result(
        benchmark="recording",
        **measure_pairs(seconds_of_the_plain_loop, seconds_with_a_store, PAIRS),
    )

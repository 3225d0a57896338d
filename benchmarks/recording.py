"""What writing everything down costs the training loop: ``python -m benchmarks.recording``.

A: the plain loop, nothing kept. B: the same steps through a Session that writes them to a
store on disk. Both on the pocket preset, without evaluations and checkpoints in between, by
turns. The ratio is B's time over A's.
"""

import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from benchmarks.pairs import measure_pairs, print_result
from gpt_core.model import GPTModel
from gpt_core.presets import PRESETS
from gpt_core.records import Record
from gpt_core.runner.session import Session
from gpt_core.store import RunStore
from gpt_core.text import load_text
from gpt_core.training import create_optimizer, prepare_data, train
from gpt_core.vocabularies import get_tokenizer

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


writing_shares: list[float] = []  # of the time of B, the part spent in the store


class TimedStore(RunStore):
    """A store that knows how long it has been writing records."""

    seconds = 0.0

    def add_records(
        self, run_id: str, records: Iterable[tuple[Record, float]], memory: int = 0
    ) -> None:
        """Write records, and count the time."""
        began = time.perf_counter()
        super().add_records(run_id, records, memory)
        self.seconds += time.perf_counter() - began


def seconds_with_a_store() -> float:
    """Train as the runner does, everything written to a store."""
    data = prepare_data(TEXT, get_tokenizer(), PRESET.model, CONFIG)
    with tempfile.TemporaryDirectory() as folder:
        store = TimedStore(Path(folder))
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
        writing_shares.append(store.seconds / seconds)
        store.close()
    return seconds


if __name__ == "__main__":
    print_result(
        benchmark="recording",
        **measure_pairs(seconds_of_the_plain_loop, seconds_with_a_store, PAIRS),
        writing_share=statistics.median(writing_shares),
    )

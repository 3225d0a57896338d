"""What a small GPT learns in its first minute: ``python -m benchmarks.first_minute``.

Trains Home's first run, the preset ``minute`` on the simple stories, as the app does: from the
opened text on, with its vocabulary, evaluations and samples. At half its time and at its end: bits
per byte on the whole validation text over the grammar's floor, and the latest sample. That
measurement is not counted. Its windows overlap by half and each token counts once, after at least
half a window: the floor knows a story from its beginning, and so must the model. The loss of the
app's curve, in windows side by side, is higher, since most begin in the middle of a story.

``--epochs 1 2 4`` trains it shorter and longer, ``--alternatives`` with one change at a time, each
for about as long.

``--reverse`` trains the same model to write eight letters backwards. In a terminal that is

    gpt-lab train --preset minute --text reverse --vocabulary characters --context-length 72 \
        --positions learned --batch-size 16 --epochs 1

Seconds are the processor's over the number of threads: what a run takes on so many cores of its
own. Beside other programs take one thread; several would count the time that they wait.
"""

import math
from argparse import ArgumentParser
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.learning import Clock
from benchmarks.pairs import print_result
from gpt_core.config import GPTConfig
from gpt_core.model import GPTModel, build_model
from gpt_core.presets import PRESETS, Preset
from gpt_core.records import EvaluationRecord, SampleRecord, StepRecord
from gpt_core.system import keep_freed_memory
from gpt_core.text import STORIES, Corpus, load_text, prompt_of, split_text, stories_bits
from gpt_core.training import (
    TrainingData,
    create_optimizer,
    fit_vocabulary,
    measure_loader,
    prepare_data,
    steps_in_run,
    train,
)
from gpt_core.vocabularies import Tokenizer, get_tokenizer

FIRST = PRESETS["minute"]
WITHIN = 1.15  # times the floor, in a minute on two cores
CHARACTERS = {"vocabulary": "characters", "vocab_size": GPTConfig().vocab_size}
# Changes of the preset, with as many epochs and windows as take about as long.
ALTERNATIVES: dict[str, dict[str, Any]] = {
    "characters": CHARACTERS
    | {"context_length": 512, "batch_size": 4, "num_epochs": 1, "stride": 680},
    "512 byte pairs": {"vocab_size": 512, "num_epochs": 2},
    "3 layers": {"n_layers": 3, "stride": 384},
    "4 heads": {"n_heads": 4},
    "batches of 4": {"batch_size": 4, "stride": 320},
    "context 128": {"context_length": 128, "batch_size": 16},
    "learned positions": {"positions": "learned"},
    "half the learning rate": {"learning_rate": FIRST.training.learning_rate / 2},
    "AdamW": {"optimizer": "adamw", "learning_rate": 4e-3},
}
REVERSE = CHARACTERS | {
    "context_length": 72,  # four problems: each window begins with one
    "positions": "learned",
    "batch_size": 16,
    "num_epochs": 1,
}


@dataclass(frozen=True)
class Learnt:
    """What a run had learnt at one moment."""

    step: int
    seconds: float
    bits_per_byte: float  # on the whole validation text
    exact_match: float | None
    train_bits_per_byte: float  # of the last evaluation: far lower if it is learnt by heart
    sample: str


def change(preset: Preset, changes: dict[str, Any]) -> Preset:
    """Return a preset with some of its settings changed."""
    model = {name: value for name, value in changes.items() if name in asdict(preset.model)}
    training = {name: value for name, value in changes.items() if name not in model}
    return replace(
        preset,
        model=replace(preset.model, **model),
        training=replace(preset.training, **training),
    )


def learn(preset: Preset, corpus: Corpus) -> list[Learnt]:
    """Train a preset as the app does; return what it had learnt halfway and at the end."""
    clock = Clock()
    training = replace(preset.training, start_context=prompt_of(corpus, get_tokenizer()))
    _, tokenizer, model_config = fit_vocabulary(corpus.text, preset.model, training)
    generator = torch.Generator()
    data = prepare_data(corpus.text, tokenizer, model_config, training, generator=generator)
    model = build_model(model_config, training.seed, generator)
    optimizer = create_optimizer(model, training)
    steps = steps_in_run(len(data.train_loader), training)
    done, sample, train_bits, learnt = 0, "", math.nan, list[Learnt]()
    for record in train(model, data.train_loader, data.val_loader, optimizer, tokenizer, training):
        if isinstance(record, SampleRecord):
            sample = record.text
        if isinstance(record, EvaluationRecord):
            train_bits = record.train_bits_per_byte or math.nan
        if isinstance(record, StepRecord):
            done = record.global_step + 1
        is_halfway = isinstance(record, StepRecord) and done == steps // 2
        is_end = isinstance(record, SampleRecord) and done == steps
        if is_halfway or is_end:
            clock.pause()
            measures = measure(model, data, tokenizer, corpus)
            seconds = clock.cpu_seconds / torch.get_num_threads()
            learnt.append(Learnt(done, seconds, *measures, train_bits, sample))
            clock.resume()
    return learnt


def measure(
    model: GPTModel, data: TrainingData, tokenizer: Tokenizer, corpus: Corpus
) -> tuple[float, float | None]:
    """Return bits per byte on the whole validation text, and the fraction of exact answers."""
    size = len(validation_of(corpus).encode())
    model.eval()
    bits = sum_of_losses(model, data.val_ids.long()) / math.log(2) / size
    exact = measure_loader(data.val_loader, model, "cpu", len(data.val_loader), tokenizer)
    model.train()
    return bits, exact.exact_match


@torch.no_grad()
def sum_of_losses(model: GPTModel, ids: Tensor) -> float:
    """Return the loss of a text, ids (N,), in nats: each token after half a window or more."""
    length = model.config.context_length
    half = length // 2
    windows = ids.unfold(0, length + 1, half)  # (W, length + 1)
    rest = (len(ids) - 1 - length) % half  # tokens after the last whole window
    total = 0.0
    for begins, group in ((True, windows[:1]), *((False, rows) for rows in windows[1:].split(32))):
        losses = F.cross_entropy(
            model(group[:, :-1]).flatten(0, 1), group[:, 1:].flatten(), reduction="none"
        ).view(len(group), length)
        total += losses[:, 0 if begins else -half :].sum().item()
    if rest:
        logits = model(ids[None, -length - 1 : -1])[0, -rest:]
        total += F.cross_entropy(logits, ids[-rest:], reduction="sum").item()
    return total


def floor_of(corpus: Corpus) -> float:
    """Return the bits per byte of the validation stories by the grammar that wrote them."""
    bits = stories_bits(validation_of(corpus))
    assert bits is not None, "these are not the grammar's stories"
    return sum(bits) / len(validation_of(corpus).encode())


def validation_of(corpus: Corpus) -> str:
    """Return the validation text."""
    return split_text(corpus.text, FIRST.training.train_ratio)[1]


def show_stories(name: str, preset: Preset) -> dict[str, Any]:
    """Train on the simple stories; print a row of the table and the last sample."""
    corpus = load_text(STORIES)
    floor = floor_of(corpus)
    halfway, end = learn(preset, corpus)
    row = {
        "steps": end.step,
        "seconds": round(end.seconds, 1),
        "bits_per_byte": round(end.bits_per_byte, 4),
        "over_floor_halfway": round(halfway.bits_per_byte / floor, 3),
        "over_floor": round(end.bits_per_byte / floor, 3),
        "training_over_floor": round(end.train_bits_per_byte / floor, 3),
    }
    print(f"| {name} | {' | '.join(map(str, row.values()))} |", flush=True)
    for learnt in (halfway, end):
        print(f"    {learnt.seconds:.0f} s: {' '.join(learnt.sample.split())}", flush=True)
    return row


def main() -> None:
    """Train what is asked for, and print and keep what it learnt."""
    parser = ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--epochs", type=int, nargs="+", default=[FIRST.training.num_epochs])
    parser.add_argument("--alternatives", nargs="*", choices=ALTERNATIVES)
    parser.add_argument("--reverse", action="store_true")
    parser.add_argument("--threads", type=int, help="of PyTorch; by default its own choice")
    options = parser.parse_args()
    keep_freed_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.reverse:
        _, end = learn(change(FIRST, REVERSE), load_text("reverse"))
        result = {"seconds": round(end.seconds, 1), "exact_match": end.exact_match}
        print_result(benchmark="first_minute", task="reverse", **result)
        return
    print(
        "| run | steps | seconds | bits per byte | over the floor halfway | at the end | training |"
    )
    print("|---|---|---|---|---|---|---|")
    chosen = {f"{n} epochs": {"num_epochs": n} for n in options.epochs}
    if options.alternatives is not None:
        names = options.alternatives or list(ALTERNATIVES)
        chosen = {name: ALTERNATIVES[name] for name in names}
    rows = {name: show_stories(name, change(FIRST, what)) for name, what in chosen.items()}
    print_result(benchmark="first_minute", target=WITHIN, runs=rows)


if __name__ == "__main__":
    main()

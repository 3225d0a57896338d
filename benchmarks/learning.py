"""Time to one loss on tiny Shakespeare, against nanoGPT: ``python -m benchmarks.learning``.

nanoGPT's recipe for a CPU (characters, 0.8 million parameters, 2,000 steps;
``benchmarks/nanogpt.py``) and ours, by turns in one process, each from the opened text on:
learning the vocabulary and tokenising count, evaluations do not. Every 50 steps both are evaluated
on the whole validation split, cut into windows side by side, so that every byte counts once. The
time to nanoGPT's loss, in bits per byte, is compared; beside the clock the processor's own seconds,
since other programs may share it. Also our model with characters and nanoGPT's recipe: its loss and
the time of its step beside nanoGPT's.

Needs the text, in the public domain, at ../shared/data/tinyshakespeare.txt beside the checkout.
"""

import math
import statistics
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.nanogpt import Recipe, Trainer
from benchmarks.pairs import measure_pairs, print_result
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import build_model
from gpt_core.system import keep_freed_memory
from gpt_core.training import create_optimizer
from gpt_core.training.gradients import accumulate_gradients, clip_gradients, finite_grad_norm
from gpt_core.training.lr_schedule import learning_rate_at, set_learning_rate
from gpt_core.vocabularies import encode_corpus, learn_vocabulary, read_vocabulary

TEXT = Path(__file__).parents[1].parent / "shared/data/tinyshakespeare.txt"
TARGET = 1.886  # nats per character: nanoGPT's validation loss after its 2,000 steps here
EVAL_FREQ, EVALUATED_ROWS = 50, 64
TRAIN_RATIO = 0.9

# Ours: found by short runs of each alternative (docs/LOG.md).
VOCAB_SIZE, STEPS = 1024, 150
MODEL = GPTConfig(
    vocab_size=VOCAB_SIZE,
    context_length=64,
    emb_dim=128,
    n_heads=4,
    n_layers=2,
    drop_rate=0.0,
    positions="rotary",
    initialization="gpt2",
)
TRAINING = TrainingConfig(
    batch_size=12,
    learning_rate=1.2e-2,
    schedule="cosine",
    warmup_steps=20,
    min_learning_rate=1e-5,
    max_grad_norm=1.0,
    optimizer="muon",
    beta2=0.99,
)
# nanoGPT's recipe with our model: as many blocks, the head tied, the same optimizer.
LIKE_NANOGPT = replace(MODEL, n_layers=4, positions="learned", tied_head=True)
TRAINED_LIKE_NANOGPT = TrainingConfig(
    batch_size=12,
    learning_rate=1e-3,
    schedule="cosine",
    warmup_steps=100,
    min_learning_rate=1e-4,
    max_grad_norm=1.0,
    beta2=0.99,
)

Encode = Callable[[str], list[int]]
Logits = Callable[[Tensor], Tensor]  # token IDs (B, T) to logits (B, T, vocab_size)


class Learner(Protocol):
    """A model that trains step by step."""

    logits: Logits

    def step(self, number: int) -> float:
        """Make update ``number``, counted from 0; return the loss of its batch."""


class NanoGPTs(Trainer):
    """nanoGPT's, with what evaluation needs."""

    @property
    def logits(self) -> Logits:
        """Return the model."""
        return self.model


class Ours:
    """Our model and update, on windows at random places as nanoGPT's."""

    def __init__(
        self, ids: Tensor, model: GPTConfig, training: TrainingConfig, steps: int, seed: int
    ) -> None:
        self.ids, self.config, self.steps = ids, training, steps
        self.generator = torch.Generator()
        self.logits = self.model = build_model(model, seed, self.generator).train()
        self.optimizer = create_optimizer(self.model, training)

    def step(self, number: int) -> float:
        """Make one update as ``gpt_core.train`` does, its checks included."""
        length = self.model.config.context_length
        starts = torch.randint(
            len(self.ids) - length, (self.config.batch_size,), generator=self.generator
        )
        rows = torch.stack([self.ids[i : i + length + 1] for i in starts.tolist()]).long()
        learning_rate = learning_rate_at(number, self.steps, self.config)
        self.optimizer.zero_grad()
        loss = accumulate_gradients([(rows[:, :-1], rows[:, 1:])], self.model, self.config)
        norm = finite_grad_norm(loss, self.model, learning_rate, number)
        assert self.config.max_grad_norm is not None
        clip_gradients(self.model, self.config.max_grad_norm, norm)
        set_learning_rate(self.optimizer, learning_rate)
        self.optimizer.step()
        return loss.item()


@dataclass
class Curve:
    """What one training reached: bits per byte by step, and its seconds up to there."""

    steps: list[int] = field(default_factory=list)
    bits_per_byte: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)


class Clock:
    """Seconds on the clock and of this process's processor time, with pauses."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0
        self._began = time.perf_counter(), time.process_time()

    def resume(self) -> None:
        """Count on."""
        self._began = time.perf_counter(), time.process_time()

    def pause(self) -> None:
        """Stop counting."""
        self.seconds += time.perf_counter() - self._began[0]
        self.cpu_seconds += time.process_time() - self._began[1]


@torch.no_grad()
def bits_per_byte(logits: Logits, ids: Tensor, context_length: int, num_bytes: int) -> float:
    """Return the loss on a whole split, ids (N,), in windows side by side: each token once."""
    ids = ids.long()
    whole = (len(ids) - 1) // context_length * context_length
    inputs, targets = ids[:whole], ids[1 : whole + 1]
    batches = list(
        zip(
            inputs.view(-1, context_length).split(EVALUATED_ROWS),
            targets.view(-1, context_length).split(EVALUATED_ROWS),
            strict=True,
        )
    )
    if whole + 1 < len(ids):
        batches.append((ids[whole:-1].unsqueeze(0), ids[whole + 1 :].unsqueeze(0)))
    nats = sum(
        F.cross_entropy(logits(x).flatten(0, 1), y.flatten(), reduction="sum").item()
        for x, y in batches
    )
    return nats / math.log(2) / num_bytes


def begin_nanogpts(text: str, seed: int) -> tuple[Learner, Encode, int]:
    """Return nanoGPT's learner, its encoder, and the steps that it makes."""
    vocab_size, encode = learn_characters(text)
    ids = torch.tensor(encode(training_split(text)), dtype=torch.int32)
    recipe = Recipe()
    return NanoGPTs(ids, vocab_size, recipe, seed), encode, recipe.steps


def begin_ours(text: str, seed: int) -> tuple[Learner, Encode, int]:
    """Return our learner, its encoder, and the steps that it makes."""
    vocab_size, encode = learn_bpe(training_split(text), VOCAB_SIZE)
    ids = torch.tensor(encode(training_split(text)), dtype=torch.int32)
    model = replace(MODEL, vocab_size=vocab_size)
    return Ours(ids, model, TRAINING, STEPS, seed), encode, STEPS


def begin_like_nanogpt(text: str, seed: int) -> tuple[Learner, Encode, int]:
    """Return our learner with characters and nanoGPT's recipe."""
    vocab_size, encode = learn_characters(text)
    ids = torch.tensor(encode(training_split(text)), dtype=torch.int32)
    model, steps = replace(LIKE_NANOGPT, vocab_size=vocab_size), Recipe().steps
    return Ours(ids, model, TRAINED_LIKE_NANOGPT, steps, seed), encode, steps


LEARNERS: dict[str, Callable[[str, int], tuple[Learner, Encode, int]]] = {
    "nanogpt": begin_nanogpts,
    "ours": begin_ours,
    "ours-like-nanogpt": begin_like_nanogpt,
}


def training_split(text: str) -> str:
    """Return the first nine tenths of a text; the rest is for validation."""
    return text[: int(TRAIN_RATIO * len(text))]


def learn(name: str, seed: int, target: float | None) -> Curve:
    """Train from the opened text on, up to a loss in bits per byte or all steps."""
    clock, curve = Clock(), Curve()
    text = TEXT.read_text()
    learner, encode, steps = LEARNERS[name](text, seed)
    clock.pause()
    validation = text[len(training_split(text)) :]
    ids = torch.tensor(encode(validation))  # (N,)
    for number in range(steps):
        clock.resume()
        learner.step(number)
        clock.pause()
        if (number + 1) % EVAL_FREQ == 0:
            bits = bits_per_byte(learner.logits, ids, MODEL.context_length, len(validation))
            curve.steps.append(number + 1)
            curve.bits_per_byte.append(bits)
            curve.seconds.append(clock.seconds)
            curve.cpu_seconds.append(clock.cpu_seconds)
            print(f"{name} {number + 1}: {bits:.3f} bits, {clock.seconds:.1f} s", file=sys.stderr)
            if target is not None and bits <= target:
                break
    return curve


def learn_characters(text: str) -> tuple[int, Encode]:
    """Return the number of a text's characters, and what maps text to their numbers."""
    ids = {character: i for i, character in enumerate(sorted(set(text)))}
    return len(ids), lambda part: [ids[character] for character in part]


def learn_bpe(text: str, vocab_size: int) -> tuple[int, Encode]:
    """Return the size and the encoder of a byte-pair encoding learnt from a text."""
    tokenizer = read_vocabulary(learn_vocabulary("bpe", text, vocab_size))
    return tokenizer.n_vocab, lambda part: encode_corpus(part, tokenizer).tolist()


def measure_steps(rounds: int, steps: int = 20) -> dict[str, float]:
    """Time nanoGPT's step and ours of the same recipe by turns: median ms, and their ratio."""
    text = TEXT.read_text()
    learners = {name: LEARNERS[name](text, 0)[0] for name in ("nanogpt", "ours-like-nanogpt")}

    def seconds(learner: Learner) -> float:
        began = time.perf_counter()
        for number in range(steps):
            learner.step(number)
        return (time.perf_counter() - began) / steps

    for learner in learners.values():
        seconds(learner)  # warm-up
    measured = measure_pairs(*(partial(seconds, one) for one in learners.values()), rounds)
    return {
        "nanogpt_ms": round(1000 * measured["a"], 1),
        "ours_ms": round(1000 * measured["b"], 1),
        "ratio": round(measured["ratio"], 3),
    }


def main() -> None:
    """Train both by turns, and print and keep the ratios."""
    parser = ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of PyTorch; by default its own choice")
    options = parser.parse_args()
    if not TEXT.is_file():
        raise SystemExit(f"tiny Shakespeare is not at {TEXT}: put it there.")
    keep_freed_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    rounds = [measure_round(seed) for seed in range(options.rounds)]
    alike = learn("ours-like-nanogpt", 0, None)
    print_result(
        benchmark="learning",
        rounds=rounds,
        time_over_nanogpts={
            kind: round(statistics.median(r["ours"][kind] / r["nanogpt"][kind] for r in rounds), 3)
            for kind in ("seconds", "cpu_seconds")
        },
        like_nanogpt={
            "nats_per_byte": round(alike.bits_per_byte[-1] * math.log(2), 3),
            "step": measure_steps(rounds=20),
        },
    )


def measure_round(seed: int) -> dict[str, dict[str, float]]:
    """Train nanoGPT's to its end, then ours to the lower of its last loss and :data:`TARGET`."""
    theirs = learn("nanogpt", seed, None)
    target = min(TARGET / math.log(2), theirs.bits_per_byte[-1])  # the text is ASCII
    curves = {"nanogpt": theirs, "ours": learn("ours", seed, target)}
    measured = {}
    for name, curve in curves.items():
        last = next((i for i, x in enumerate(curve.bits_per_byte) if x <= target), -1)
        # nanoGPT's last evaluation may miss TARGET by a little: then all its steps count. Ours must
        # reach it.
        fails = name == "ours" and curve.bits_per_byte[last] > target
        measured[name] = {
            "steps": curve.steps[last],
            "nats_per_byte": round(curve.bits_per_byte[last] * math.log(2), 3),
            "seconds": math.inf if fails else round(curve.seconds[last], 1),
            "cpu_seconds": math.inf if fails else round(curve.cpu_seconds[last], 1),
        }
    print(measured, file=sys.stderr)
    return measured


if __name__ == "__main__":
    main()

"""The chapter's training step against its peers: ``python -m benchmarks.training``.

124M parameters, batches of 2 x 256 tokens, all threads. Each measurement is a process of its own
(its memory settings and its peak are its own), and they take turns: the book's model and loop,
ours in both precisions, Hugging Face's GPT-2 with an untied head in both (all with their own
defaults otherwise), and what the machine itself can do. The ratios are medians over the rounds.

Needs what the tests need (README).
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import nullcontext

import torch

from benchmarks.pairs import print_result
from gpt_core.config import TrainingConfig
from gpt_core.model import GPTModel, autocast, calc_loss_batch
from gpt_core.model.precision import measure_products
from gpt_core.presets import GPT_CONFIG_124M
from gpt_core.system import keep_freed_memory
from gpt_core.training import create_optimizer
from gpt_core.training.gradients import finite_grad_norm

WARM_UP, STEPS = 2, 4
TOKENS = 2 * 256
Step = Callable[[torch.Tensor, torch.Tensor], None]


def our_step(precision: str) -> Step:
    """Return one step as ``gpt_core.train`` makes it, the check of the gradients included."""
    keep_freed_memory()  # as the runner does
    config = TrainingConfig(precision=precision)
    model = GPTModel(GPT_CONFIG_124M).train()
    optimizer = create_optimizer(model, config)

    def step(inputs: torch.Tensor, targets: torch.Tensor) -> None:
        optimizer.zero_grad()
        with autocast(config):
            loss = calc_loss_batch(inputs, targets, model, "cpu")
        loss.backward()
        finite_grad_norm(loss, model, config.learning_rate, 0)
        optimizer.step()

    return step


def book_step() -> Step:
    """Return one step of the book's own model and loop (``train_model_simple``)."""
    from llms_from_scratch import ch04, ch05

    model = ch04.GPTModel(GPT_CONFIG_124M.__dict__).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-4, weight_decay=0.1)

    def step(inputs: torch.Tensor, targets: torch.Tensor) -> None:
        optimizer.zero_grad()
        ch05.calc_loss_batch(inputs, targets, model, "cpu").backward()
        optimizer.step()

    return step


def transformers_step(precision: str) -> Step:
    """Return one step of Hugging Face's GPT-2, of the same shapes, with the same optimizer."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(n_positions=256, tie_word_embeddings=False)
    model = GPT2LMHeadModel(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-4, weight_decay=0.1)
    reduced = torch.autocast("cpu", dtype=torch.bfloat16)

    def step(inputs: torch.Tensor, targets: torch.Tensor) -> None:
        optimizer.zero_grad()
        with reduced if precision == "bfloat16" else nullcontext():
            logits = model(inputs).logits  # (B, T, vocab_size); its own loss would shift again
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        optimizer.step()

    return step


STEPPERS: dict[str, Callable[[], Step]] = {
    "book": book_step,
    "ours-float32": lambda: our_step("float32"),
    "ours-bfloat16": lambda: our_step("bfloat16"),
    "transformers-float32": lambda: transformers_step("float32"),
    "transformers-bfloat16": lambda: transformers_step("bfloat16"),
}


def measure(name: str) -> dict[str, float]:
    """Return the median seconds of a step and the process's peak memory in MB."""
    torch.manual_seed(123)
    ids = torch.randint(0, GPT_CONFIG_124M.vocab_size, (2, 257))
    inputs, targets = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    step = STEPPERS[name]()
    seconds = []
    for _ in range(WARM_UP + STEPS):
        began = time.perf_counter()
        step(inputs, targets)
        seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return {"seconds": statistics.median(seconds[WARM_UP:]), "peak_mb": peak}


def measure_roofline() -> dict[str, float]:
    """Return the seconds that a step's products and its update must take on this machine.

    Products: 6 operations per parameter and token, for the parameters that are in products
    (not the embeddings), at the rate of a large one. Update: AdamW reads weight, gradient and
    two moments and writes three of them, 28 bytes per parameter, at the rate of a copy.
    """
    with torch.device("meta"):
        model = GPTModel(GPT_CONFIG_124M)
    embeddings = model.tok_emb.weight.numel() + model.pos_emb.weight.numel()
    total = sum(p.numel() for p in model.parameters())
    source = torch.randn(50_000_000)
    target = torch.empty_like(source)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        target.copy_(source)
        times.append(time.perf_counter() - began)
    bandwidth = 2 * 4 * source.numel() / min(times)
    rates = measure_products("cpu")
    return {
        f"seconds-{name}": 6 * (total - embeddings) * TOKENS / (rate * 1e9) + 28 * total / bandwidth
        for name, rate in rates.items()
    } | {"bandwidth_gb_per_s": bandwidth / 1e9, **{f"gflops-{n}": r for n, r in rates.items()}}


def in_a_process(name: str) -> dict[str, float]:
    """Measure one of them in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.training", "--only", name]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    """Measure by turns, and print and keep the ratios."""
    parser = ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=[*STEPPERS, "roofline"])
    options = parser.parse_args()
    if options.only:
        measured = measure_roofline() if options.only == "roofline" else measure(options.only)
        print(json.dumps(measured))
        return

    rounds = []
    for i in range(options.rounds):
        rounds.append({name: in_a_process(name) for name in [*STEPPERS, "roofline"]})
        print(f"round {i + 1}: {json.dumps(rounds[-1])}", file=sys.stderr)

    def ratio(a: str, b: str, what: str = "seconds") -> float:
        return round(statistics.median(r[a][what] / r[b][what] for r in rounds), 3)

    def against_the_roofline(precision: str) -> float:
        return round(
            statistics.median(
                r[f"ours-{precision}"]["seconds"] / r["roofline"][f"seconds-{precision}"]
                for r in rounds
            ),
            3,
        )

    result = {
        "benchmark": "training",
        "rounds": options.rounds,
        "speed": {
            f"{name} / {peer}": ratio(peer, name)
            for name, peer in (
                ("ours-bfloat16", "book"),
                ("ours-float32", "book"),
                ("ours-bfloat16", "transformers-bfloat16"),
                ("ours-float32", "transformers-float32"),
            )
        },
        "peak_memory": {
            f"{name} / book": ratio(name, "book", "peak_mb")
            for name in ("ours-bfloat16", "ours-float32")
        },
        "step_over_roofline": {p: against_the_roofline(p) for p in ("bfloat16", "float32")},
        "medians": {
            name: {
                what: round(statistics.median(r[name][what] for r in rounds), 3)
                for what in rounds[0][name]
            }
            for name in rounds[0]
        },
    }
    print_result(**result)


if __name__ == "__main__":
    main()

"""Proof that a change in the core changes no loss: ``python -m tests.book.same_losses``.

Trains for 20 steps with the code of this folder and with that of a commit (HEAD, or the one that is
named), on one thread in float32, and compares each record to the bit: losses, gradient norms,
evaluations and probes, with dropout on. Once as the chapter does, once with accumulation, clipping,
warm-up and cosine decay. What is recorded of the model's inside is made, and left out.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.paths import ROOT

STEPS = 20

# Runs in either folder: only names that a notebook uses.
PROGRAM = """
import sys
from dataclasses import astuple, replace

import torch
from gpt_core import (
    PRESETS, GPTModel, create_optimizer, get_tokenizer, load_text, prepare_data, train,
)

torch.set_num_threads(1)
steps, tokenizer, preset = int(sys.argv[1]), get_tokenizer(), PRESETS["pocket"]
plain = replace(preset.training, precision="float32", eval_freq=5)
for config in (
    plain,
    replace(
        plain, accumulation_steps=2, max_grad_norm=0.5, schedule="cosine", warmup_steps=5,
        min_learning_rate=1e-4,
    ),
):
    data = prepare_data(load_text("the-lamp-room").text, tokenizer, preset.model, config)
    torch.manual_seed(config.seed)
    model = GPTModel(preset.model)
    optimizer = create_optimizer(model, config)
    for record in train(
        model, data.train_loader, data.val_loader, optimizer, tokenizer, config
    ):
        if record.global_step == steps:
            break
        if type(record).__name__ != "InsideRecord":
            print(type(record).__name__, *map(repr, astuple(record)))
"""


def records(folder: Path) -> list[str]:
    """Return what the code of a folder records in the first steps, a line each."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(STEPS)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{folder} does not train:\n{done.stderr}")
    return done.stdout.splitlines()


def compare(revision: str) -> str:
    """Return, in words, how the records of this folder compare with those of a commit."""
    with tempfile.TemporaryDirectory() as place:
        archive = subprocess.run(
            ["git", "archive", revision], cwd=ROOT, capture_output=True, check=True
        ).stdout
        subprocess.run(["tar", "-x", "-C", place], input=archive, check=True)
        then, now = records(Path(place)), records(ROOT)
    for before, after in zip(then, now, strict=False):
        if not after.startswith(before):  # a kind of record may have more fields than then
            return f"Not equal.\n{revision}: {before}\nhere: {after}"
    if len(then) != len(now):
        return f"Not equal: {len(then)} records in {revision}, {len(now)} here."
    return f"{STEPS} steps equal, twice: {len(now)} records, to the last bit."


def main() -> int:
    """Compare this folder with a commit; 0 if the losses are the same."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("revision", nargs="?", default="HEAD")
    answer = compare(parser.parse_args().revision)
    print(answer)
    return 0 if answer.startswith(f"{STEPS} steps equal") else 1


if __name__ == "__main__":
    sys.exit(main())

"""The chapter's whole run in bfloat16, and where its time goes: ``python -m benchmarks.whole_run``.

Ninety steps of the 124M model on The Verdict, with the chapter's evaluations and samples, as
``gpt_core.train`` makes them. Reported: how far the losses end from the book's printed ones
(float32 on a CPU), whether every point lies inside the band that runs on other devices fill,
and the time of evaluations and of samples as a share of the steps' time.
"""

import sys
import time
from argparse import ArgumentParser
from collections import Counter
from dataclasses import replace

import torch

from benchmarks.pairs import print_result
from gpt_core.analysis import BOOK_RUN
from gpt_core.analysis.reference_runs import BAND
from gpt_core.model import GPTModel
from gpt_core.presets import PRESETS
from gpt_core.records import EvaluationRecord, SampleRecord, StepRecord
from gpt_core.system import keep_freed_memory
from gpt_core.text import VERDICT, load_text
from gpt_core.training import create_optimizer, prepare_data, train
from gpt_core.vocabularies import get_tokenizer

PART = {StepRecord: "steps", EvaluationRecord: "evaluations", SampleRecord: "samples"}


def main() -> None:
    """Train the whole run once."""
    parser = ArgumentParser()
    parser.add_argument("--precision", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--seed", type=int, default=123)
    options = parser.parse_args()
    keep_freed_memory()
    preset, tokenizer = PRESETS["book-124m"], get_tokenizer()
    config = replace(preset.training, precision=options.precision, seed=options.seed)
    data = prepare_data(load_text(VERDICT).text, tokenizer, preset.model, config)
    torch.manual_seed(config.seed)
    model = GPTModel(preset.model)
    loaders = (data.train_loader, data.val_loader)
    records = train(model, *loaders, create_optimizer(model, config), tokenizer, config)

    seconds: Counter[str] = Counter()
    losses = {}
    began = time.perf_counter()
    for record in records:
        # Probes come with their evaluation and are counted as part of it.
        seconds[PART.get(type(record), "evaluations")] += time.perf_counter() - began
        if isinstance(record, EvaluationRecord):
            losses[record.global_step] = (record.train_loss, record.val_loss)
            print(record, file=sys.stderr)
        began = time.perf_counter()

    off = [
        (abs(losses[step][0] - train_loss), abs(losses[step][1] - val_loss))
        for step, (train_loss, val_loss) in BOOK_RUN.losses.items()
    ]
    print_result(
        benchmark="whole_run",
        precision=options.precision,
        seed=options.seed,
        last_losses=[round(loss, 3) for loss in losses[85]],
        last_val_loss_off=round(off[-1][1], 3),
        largest_off={"train": max(o[0] for o in off), "val": max(o[1] for o in off)},
        inside_the_band=all(o[0] <= BAND.train_loss and o[1] <= BAND.val_loss for o in off),
        share_of_the_steps_time={
            part: round(seconds[part] / seconds["steps"], 3) for part in ("evaluations", "samples")
        },
        seconds={part: round(value) for part, value in seconds.items()},
    )


if __name__ == "__main__":
    main()

"""What recording the model's inside costs a run: ``python -m benchmarks.inside``.

A: the training loop with evaluations, nothing recorded of the inside. B: the same with
``record_inside``. Both on the pocket preset, by turns; the records are taken and dropped, as
``benchmarks.recording`` measures what writing costs. Of the whole run B records the inside at up to
40 evaluations, most of them in its first tenth; here all steps of the run are trained, so the ratio
of B's time to A's is that of the run.

``--steps`` trains fewer: the plan is still that of the whole run, so the ratio is too high. It is
``ratio_whole_run`` that estimates the run's: the same seconds for each recording, over all steps.

Times are CPU time on one thread: what others compute on the machine counts less.
"""

import argparse
import time
from dataclasses import replace
from itertools import takewhile

import torch

from benchmarks.pairs import measure_pairs, print_result
from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model import GPTModel
from gpt_core.presets import PRESETS
from gpt_core.text import load_text
from gpt_core.training import (
    create_optimizer,
    fit_vocabulary,
    plan_inside,
    prepare_data,
    steps_in_run,
    train,
    with_text_probe,
)
from gpt_core.vocabularies import Tokenizer

TEXT = load_text("the-lamp-room").text


def seconds(
    model_config: GPTConfig, config: TrainingConfig, tokenizer: Tokenizer, steps: int
) -> float:
    """Return the CPU seconds that the first steps of a run take."""
    data = prepare_data(TEXT, tokenizer, model_config, config)
    torch.manual_seed(config.seed)
    model = GPTModel(model_config)
    optimizer = create_optimizer(model, config)
    loaders = (data.train_loader, data.val_loader)
    began = time.process_time()
    for _ in takewhile(
        lambda record: record.global_step < steps,
        train(model, *loaders, optimizer, tokenizer, config),
    ):
        pass
    return time.process_time() - began


def main() -> None:
    """Measure by turns."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--steps", type=int, default=10**9)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--preset", choices=PRESETS, default="pocket")
    options = parser.parse_args()
    preset = PRESETS[options.preset]
    plain = replace(preset.training, precision="float32", record_inside=False)
    fitted = fit_vocabulary(TEXT, preset.model, plain)
    model_config, tokenizer = fitted.model_config, fitted.tokenizer
    plain = with_text_probe(plain, TEXT, tokenizer, model_config.context_length)
    recording = replace(plain, record_inside=True)
    data = prepare_data(TEXT, tokenizer, model_config, plain)
    total = steps_in_run(len(data.train_loader), plain)
    plan = plan_inside(model_config, recording, total, tokenizer)
    torch.set_num_threads(1)
    found = measure_pairs(
        lambda: seconds(model_config, plain, tokenizer, options.steps),
        lambda: seconds(model_config, recording, tokenizer, options.steps),
        options.pairs,
    )
    steps, recorded = min(options.steps, total), sum(s < options.steps for s in plan.steps)
    extra = found["ratio"] - 1  # of the steps that were trained
    print_result(
        benchmark="inside",
        unit="s",
        preset=preset.name,
        steps=steps,
        of_steps=total,
        recorded=recorded,
        of_recorded=len(plan.steps),
        ratio_whole_run=1 + extra * steps / total * len(plan.steps) / max(recorded, 1),
        **found,
    )


if __name__ == "__main__":
    main()

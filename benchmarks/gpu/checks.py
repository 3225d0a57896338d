"""Whether the chapter's numbers are right on a GPU, and whether a run resumes there exactly."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.steps import TINY, Options, settings, token_batches
from gpt_core.config import TrainingConfig
from gpt_core.model import (
    build_model,
    calc_loss_loader,
    compare_devices,
    loss_walkthrough,
    seed_device,
)
from gpt_core.presets import GPT_CONFIG_124M, PRESETS
from gpt_core.records import EvaluationRecord, StepRecord
from gpt_core.training import TrainingState, create_optimizer, prepare_data, train

# The chapter's two rows of three tokens, and what its untrained model gives their targets.
INPUTS = torch.tensor([[16833, 3626, 6100], [40, 1107, 588]])
TARGETS = torch.tensor([[3626, 6100, 345], [1107, 588, 11311]])
CHAPTER_PROBAS = ((7.454e-05, 3.106e-05, 1.156e-05), (1.034e-05, 5.678e-05, 4.756e-06))
CHAPTER_LOSS, UNTRAINED_LOSSES = 10.7940, (10.987583, 10.981106)
NEAR = 0.001  # nats, in float32 on another device


def check_chapter(options: Options) -> dict[str, Any]:
    """Compare the chapter's numbers, as this device gives them, with the printed ones."""
    device = options.device
    model = build_model(GPT_CONFIG_124M, 123).to(device)
    walk = loss_walkthrough(model, INPUTS.to(device), TARGETS.to(device))
    off = (walk.target_probas.cpu() / torch.tensor(CHAPTER_PROBAS) - 1).abs().max().item()
    found: dict[str, Any] = {
        "probabilities_off_by": off,
        "loss": walk.loss.item(),
        "loss_is_right": abs(walk.loss.item() - CHAPTER_LOSS) <= NEAR,
    }
    small = TINY if options.is_tiny else replace(GPT_CONFIG_124M, n_layers=2)
    for precision in ("float32", "tf32", "bfloat16"):
        config = settings(precision, 4, options)
        batch = next(token_batches(small, 4))
        difference = compare_devices(build_model(small, 1), batch, device, config)
        found[f"{precision}_against_the_cpu"] = difference or "as on the CPU"
    return found


def check_chapter_run(options: Options) -> dict[str, Any]:
    """Train the chapter's run, if its text is there: is it inside the band of a right one?"""
    from gpt_core.analysis.reference_runs import BAND, BOOK_RUN
    from gpt_core.text import has_the_verdict, load_text
    from gpt_core.vocabularies import get_tokenizer

    if not has_the_verdict():
        return {"not_measured": "data/the-verdict.txt is not there: fetch-verdict downloads it"}
    preset, tokenizer = PRESETS["book-124m"], get_tokenizer()
    epochs, last = (10, 85) if not options.is_tiny else (1, 0)
    config = replace(preset.training, device=options.device, num_epochs=epochs, eval_iter=1)
    config = config if options.is_tiny else replace(config, eval_iter=5)
    text, generator = load_text("the-verdict").text, torch.Generator()
    data = prepare_data(text, tokenizer, preset.model, config, generator=generator)
    model = build_model(preset.model, config.seed, generator).to(options.device)
    untrained = None
    if not options.is_tiny:
        with torch.no_grad():
            untrained = [
                calc_loss_loader(loader, model, options.device)
                for loader in (data.train_loader, data.val_loader)
            ]
        model = build_model(preset.model, config.seed, generator).to(options.device)
    seed_device(torch.device(options.device), config.seed)
    off = [0.0, 0.0]
    began = time.perf_counter()
    loaders = (data.train_loader, data.val_loader)
    for record in train(model, *loaders, create_optimizer(model, config), tokenizer, config):
        if isinstance(record, EvaluationRecord):
            book = BOOK_RUN.losses[record.global_step]
            here = (record.train_loss, record.val_loss)
            off = [max(o, abs(x - y)) for o, x, y in zip(off, here, book, strict=True)]
            if record.global_step == last:
                break
    limits = (BAND.train_loss, BAND.val_loss)
    return {
        "untrained_losses": untrained,
        "untrained_are_right": untrained
        and all(abs(x - y) <= NEAR for x, y in zip(untrained, UNTRAINED_LOSSES, strict=True)),
        "largest_differences": off,
        "inside_the_band": all(o <= limit for o, limit in zip(off, limits, strict=True)),
        "seconds": time.perf_counter() - began,
    }


def check_resume(options: Options) -> dict[str, Any]:
    """Train a small model with dropout twice, and once more from a checkpoint halfway."""
    from gpt_core.text import load_text
    from gpt_core.vocabularies import get_tokenizer
    from gpt_core.weights import load_checkpoint, save_checkpoint

    steps = 4 if options.is_tiny else 40
    small = replace(PRESETS["pocket"].model, context_length=32, emb_dim=16, n_layers=1)
    model_config = small if options.is_tiny else PRESETS["evening"].model
    tokenizer, text = get_tokenizer(), load_text("the-lamp-room").text
    found: dict[str, Any] = {}

    def run(config: TrainingConfig, folder: Path, resumes: bool) -> list[float]:
        generator = torch.Generator()
        data = prepare_data(text, tokenizer, model_config, config, generator=generator)
        model = build_model(model_config, config.seed, generator).to(config.device)
        seed_device(torch.device(config.device), config.seed)
        optimizer, state = create_optimizer(model, config), TrainingState()
        if resumes:
            state = load_checkpoint(folder, model, optimizer)
        losses = []
        loaders = (data.train_loader, data.val_loader)
        for record in train(model, *loaders, optimizer, tokenizer, config, state):
            if isinstance(record, StepRecord):
                losses.append(record.loss)
                if record.global_step >= steps - 1 and state.between_steps and not folder.exists():
                    save_checkpoint(folder, model, optimizer, state)
                if record.global_step == 2 * steps - 1:
                    break
        return losses

    for precision in ("float32", "bfloat16"):
        config = TrainingConfig(
            num_epochs=50,
            batch_size=4,
            eval_freq=10_000,
            eval_iter=1,
            sample_tokens=1,
            precision=precision,
            device=options.device,
        )
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "whole"
            first = run(config, folder, resumes=False)
            again = run(config, folder, resumes=False)
            resumed = run(config, folder, resumes=True)
        off = max(abs(x - y) for x, y in zip(first[-len(resumed) :], resumed, strict=True))
        own = max(abs(x - y) for x, y in zip(first, again, strict=True))
        found[precision] = {"resumed_off_by": off, "repeated_off_by": own}
        if own > 0:
            found[precision]["reason"] = "the run itself does not repeat: kernels add in any order"
    return found

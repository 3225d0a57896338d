"""How fast a step is, beside those of nanoGPT and transformers, and where its time goes."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from benchmarks import nanogpt
from benchmarks.gpu.steps import (
    WARM_UP,
    Case,
    Options,
    freed,
    gpu_name,
    our_step,
    peak_memory,
    settings,
    shape,
    time_step,
    token_batches,
)
from gpt_core.config import GPTConfig
from gpt_core.model import utilization
from gpt_core.training.data import copied_ahead

PROFILED = 10  # kernels that are named


def cases(options: Options) -> list[Case]:
    """Return the steps to time, those that matter most first."""
    few = 2 if options.is_tiny else 16
    rows = [Case("124M", "bfloat16", compiled, few) for compiled in (True, False)]
    if options.is_tiny:
        return [*rows, Case("124M", "float32", False, few), Case("124M", "tf32", False, few)]
    rows += [Case("355M", "bfloat16", compiled, 8) for compiled in (True, False)]
    rows += [Case("124M", "bfloat16", False, size) for size in (4, 64)]
    rows += [Case("124M", precision, False, few) for precision in ("tf32", "float32")]
    if options.is_quick:
        return rows
    rows += [Case("355M", precision, False, 8) for precision in ("tf32", "float32")]
    rows += [Case("124M", "bfloat16", True, 64)]
    rows += [Case("124M", precision, True, few) for precision in ("tf32", "float32")]
    rows += [Case("355M", precision, True, 8) for precision in ("tf32", "float32")]
    return rows


def time_case(case: Case, options: Options) -> dict[str, Any]:
    """Return a step's seconds, tokens per second, MFU and peak memory, or why there are none."""
    model_config = shape(case.size, options)
    config = settings(case.precision, case.batch_size, options)
    batches = copied_ahead(token_batches(model_config, case.batch_size), options.device)
    began = time.perf_counter()
    try:
        step = our_step(model_config, config, case.is_compiled)
        step(*next(batches))  # compiles
        first = time.perf_counter() - began
        seconds = time_step(step, batches)
    except torch.OutOfMemoryError:
        return {"not_measured": "out of memory"}
    except Exception as error:  # of a compiler: the other rows are measured all the same
        return {"not_measured": f"{type(error).__name__}: {str(error).strip()[:200]}"}
    speed = case.batch_size * model_config.context_length / seconds
    return {
        "first_step_seconds": first,
        "seconds": seconds,
        "tokens_per_second": speed,
        "mfu": utilization(model_config, config, gpu_name(options.device), speed),
        "peak_gb": peak_memory(options.device),
    }


def measure_steps(options: Options) -> dict[str, Any]:
    """Time steps of both sizes, as many as the part's time allows."""
    ends, rows = time.monotonic() + 0.8 * options.seconds, []
    for case in cases(options):
        measured: dict[str, Any] = {"not_measured": "the part's time was up"}
        if time.monotonic() < ends:
            with freed(options.device):
                measured = time_case(case, options)
        rows.append({**asdict(case), **measured})
    return {"rows": rows}


def transformers_step(
    model_config: GPTConfig, options: Options, compiles: bool
) -> Callable[[Tensor, Tensor], float]:
    """Return one update of Hugging Face's GPT-2 of the same shape, in bfloat16."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=model_config.vocab_size,
        n_positions=model_config.context_length,
        n_embd=model_config.emb_dim,
        n_layer=model_config.n_layers,
        n_head=model_config.n_heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    model = GPT2LMHeadModel(config).to(options.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), fused=True)

    def calc_loss(inputs: Tensor, targets: Tensor) -> Tensor:
        logits = model(inputs, use_cache=False).logits  # (B, T, vocab_size)
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    compiled = torch.compile(calc_loss) if compiles else calc_loss

    def step(inputs: Tensor, targets: Tensor) -> float:
        optimizer.zero_grad()
        with torch.autocast(options.device, dtype=torch.bfloat16):
            loss = compiled(inputs, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def compare_peers(options: Options) -> dict[str, Any]:
    """Time our step, nanoGPT's and transformers' of the same shape by turns, in bfloat16."""
    model_config = shape("124M", options)
    batch_size, rounds = (2, 2) if options.is_tiny else (16, 5)
    compiles = not options.is_tiny
    config = settings("bfloat16", batch_size, options)
    recipe = nanogpt.GPU_RECIPE
    vocab_size = nanogpt.GPU_VOCABULARY
    if options.is_tiny:
        vocab_size = 256
        recipe = replace(recipe, context_length=16, emb_dim=16, n_heads=2, n_layers=1)
    if options.device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True  # as nanoGPT does
    steps: dict[str, Callable[[Tensor, Tensor], float]] = {}
    batches = copied_ahead(token_batches(model_config, batch_size), options.device)
    notes: dict[str, str] = {}
    makers = {
        "ours": lambda: our_step(model_config, config, compiles),
        "nanogpt": lambda: nanogpt.gpu_step(options.device, vocab_size, recipe, compiles),
        "transformers": lambda: transformers_step(model_config, options, compiles),
    }
    for name, make in makers.items():
        if name == "transformers" and find_spec("transformers") is None:
            notes[name] = "transformers is not installed"
            continue
        try:
            step = make()
            for _ in range(WARM_UP):
                step(*next(batches))
            steps[name] = step
        except Exception as error:  # a peer's compiler must not cost the others' numbers
            notes[name] = f"{type(error).__name__}: {str(error)[:200]}"
    measured = [
        {name: time_step(step, batches, 1, 5) for name, step in steps.items()}
        for _ in range(rounds)
    ]
    tokens = batch_size * model_config.context_length
    return {
        "batch_size": batch_size,
        "compiled": compiles,
        "tokens_per_second": {
            name: tokens / statistics.median(r[name] for r in measured) for name in steps
        },
        "ours_over": {
            name: statistics.median(r[name] / r["ours"] for r in measured)
            for name in steps
            if name != "ours" and "ours" in steps
        },
        "notes": notes,
    }


def profile_step(options: Options) -> dict[str, Any]:
    """Name the kernels that take most of a compiled step's time: where the MFU goes."""
    from torch.profiler import ProfilerActivity, profile

    is_gpu = options.device == "cuda"
    model_config = shape("124M", options)
    config = settings("bfloat16", 2 if options.is_tiny else 16, options)
    step = our_step(model_config, config, is_compiled=is_gpu)
    batches = copied_ahead(token_batches(model_config, config.batch_size), options.device)
    time_step(step, batches, 0, 3)
    kinds = [ProfilerActivity.CUDA if is_gpu else ProfilerActivity.CPU]
    with profile(activities=kinds) as profiled:
        time_step(step, batches, 0, 3)

    def own_time(event: Any) -> float:
        return float(event.self_device_time_total if is_gpu else event.self_cpu_time_total)

    events = sorted(profiled.key_averages(), key=own_time, reverse=True)
    total = sum(map(own_time, events))
    kernels = {event.key[:80]: round(own_time(event) / total, 3) for event in events[:PROFILED]}
    return {"fractions_of_the_kernels_time": kernels}

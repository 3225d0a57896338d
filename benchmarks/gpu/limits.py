"""How fast the model writes, and which batches fit into the memory."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.steps import TINY, Options, freed, our_step, settings, shape
from gpt_core.config import GPTConfig
from gpt_core.model import build_model, generate
from gpt_core.presets import GPT_CONFIG_124M


def measure_generation(options: Options) -> dict[str, Any]:
    """Let the model write greedily, with its key/value cache and computing all anew each time."""
    config = TINY if options.is_tiny else replace(GPT_CONFIG_124M, context_length=1024)
    tokens = 8 if options.is_tiny else 200
    model = build_model(config, 123).to(options.device)
    prompt = torch.arange(4, device=options.device).unsqueeze(0)  # (1, 4)

    @torch.no_grad()
    def anew() -> Tensor:
        ids = prompt
        for _ in range(tokens):
            logits = model(ids[:, -config.context_length :])[:, -1]  # (1, vocab_size)
            ids = torch.cat((ids, logits.argmax(dim=-1, keepdim=True)), dim=1)  # (1, T + 1)
        return ids

    def speed(write: Callable[[], Tensor]) -> tuple[float, Tensor]:
        write()
        began = time.perf_counter()
        ids = write().cpu()
        return tokens / (time.perf_counter() - began), ids

    cached, ids = speed(lambda: generate(model, prompt, tokens))
    uncached, same = speed(anew)
    return {
        "cached_tokens_per_second": cached,
        "uncached_tokens_per_second": uncached,
        "same_tokens": torch.equal(ids, same),
    }


def measure_memory_limits(options: Options) -> dict[str, Any]:
    """Find the largest batch of each size that fits, in bfloat16, uncompiled."""
    from gpt_core.runner import largest_batch

    found: dict[str, Any] = {"memory_gb": None}
    if options.device == "cuda":
        found["memory_gb"] = torch.cuda.get_device_properties(0).total_memory / 1e9
    sizes = ("124M",) if options.is_tiny else ("124M", "355M", "774M", "1558M")
    ends = time.monotonic() + 0.7 * options.seconds
    for size in sizes:
        if time.monotonic() > ends:
            found[size] = "not measured: the part's time was up"
            continue
        model_config = shape(size, options)
        config = settings("bfloat16", 1, options)
        with freed(options.device):
            try:
                step = our_step(model_config, config, is_compiled=False)
            except torch.OutOfMemoryError:
                found[size] = 0
                continue

            def try_batch(
                rows: int,
                step: Callable[[Tensor, Tensor], float] = step,
                config: GPTConfig = model_config,
            ) -> None:
                ids = torch.zeros(rows, config.context_length, dtype=torch.int64)  # (B, T)
                step(ids, ids)

            found[size] = largest_batch(try_batch, 4 if options.is_tiny else 256)
            del step, try_batch
    return found

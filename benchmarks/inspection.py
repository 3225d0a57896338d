"""The inside of the 124M model on 64 tokens: ``python -m benchmarks.inspection``.

A: one forward pass. B: the numbers of the page Inside for one text: the attention weights of all
heads, the residual stream, and the lens of all layers. The lens's products with the output head
are the most work; they are measured by themselves and taken off, and the ratio is the rest of B to
A. Then, as ``ratio_ablation``, the same without one head; as ``ratio_losses``, the loss of each of
5,000 tokens, A being the chapter's loss of the same windows.
"""

import time
from collections.abc import Callable

import torch

from benchmarks.pairs import measure_pairs, print_result
from gpt_core.inspection import (
    ablate,
    attention_weights,
    lens_summary,
    residual_stream,
    token_losses,
    trace,
)
from gpt_core.model import build_model, calc_loss_batch
from gpt_core.presets import GPT_CONFIG_124M

TOKENS, TEXT_TOKENS, PAIRS = 64, 5_000, 7


@torch.no_grad()
def main() -> None:
    """Measure by turns."""
    model = build_model(GPT_CONFIG_124M, seed=123)
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(GPT_CONFIG_124M.vocab_size, (1, TOKENS), generator=generator)
    text = torch.randint(GPT_CONFIG_124M.vocab_size, (TEXT_TOKENS + 1,), generator=generator)
    length = GPT_CONFIG_124M.context_length
    hidden = torch.randn(TOKENS, GPT_CONFIG_124M.emb_dim, generator=generator)

    def seconds(work: Callable[[], object]) -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    def forward() -> object:
        return torch.softmax(model(ids), dim=-1)

    def head_products() -> object:
        for _ in range(GPT_CONFIG_124M.n_layers):
            product = torch.softmax(model.out_head(hidden), dim=-1)
        return product

    def numbers() -> object:
        traced = trace(model, ids)
        weights = attention_weights(model, ids, traced=traced)
        return (
            weights,
            residual_stream(model, ids, traced=traced),
            lens_summary(model, ids, traced=traced),
        )

    def chapters_loss() -> object:
        for start in range(0, TEXT_TOKENS, 4 * length):
            window = text[start : start + 4 * length + 1]
            rows = (len(window) - 1) // length
            inputs = window[: rows * length].view(rows, length)
            targets = window[1 : rows * length + 1].view(rows, length)
            loss = calc_loss_batch(inputs, targets, model, "cpu")
        return loss

    for work in (forward, numbers, head_products):
        work()
    inside = measure_pairs(
        lambda: seconds(forward), lambda: seconds(numbers) - seconds(head_products), PAIRS
    )
    head = ["trf_blocks.3.att.5"]
    ablation = measure_pairs(
        lambda: seconds(forward), lambda: seconds(lambda: ablate(model, ids, head)), PAIRS
    )
    losses = measure_pairs(
        lambda: seconds(chapters_loss), lambda: seconds(lambda: token_losses(model, text)), 3
    )
    print_result(
        benchmark="inspection",
        unit="s",
        **inside,
        ratio_ablation=ablation["ratio"],
        seconds_losses=losses["b"],
        ratio_losses=losses["ratio"],
    )


if __name__ == "__main__":
    main()

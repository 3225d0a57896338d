"""Two hundred greedy tokens of the 124M model: ``python -m benchmarks.generation``.

A: the book's ``generate_text_simple`` with the book's model, which computes the whole context
anew for each token. B: ours, with its key/value cache and turned weights. The same weights,
prompt and tokens, by turns. The ratio is the tokens per second of B over those of A. Then, as
``ratio_same_model``, the book's loop with our model is A.
"""

import time
from collections.abc import Callable
from dataclasses import asdict

import torch

from benchmarks.pairs import measure_pairs, print_result
from gpt_core.model import build_model, generate, transpose_weights
from gpt_core.presets import GPT_CONFIG_124M
from gpt_core.vocabularies import get_tokenizer, text_to_token_ids

NEW_TOKENS, PAIRS = 200, 3


def main() -> None:
    """Measure by turns."""
    from llms_from_scratch.ch04 import GPTModel, generate_text_simple

    config = GPT_CONFIG_124M
    ours = build_model(config, seed=123)
    books = GPTModel(asdict(config)).eval()
    books.load_state_dict(ours.state_dict(), strict=False)  # the causal masks are its own
    turned = build_model(config, seed=123)
    transpose_weights(turned)
    prompt = text_to_token_ids("Every effort moves you", get_tokenizer())
    answers = []

    def tokens_per_second(write: Callable[[], torch.Tensor]) -> float:
        began = time.perf_counter()
        answers.append(write())
        return NEW_TOKENS / (time.perf_counter() - began)

    def simple(model: torch.nn.Module) -> float:
        return tokens_per_second(
            lambda: generate_text_simple(model, prompt, NEW_TOKENS, config.context_length)
        )

    def cached() -> float:
        return tokens_per_second(lambda: generate(turned, prompt, NEW_TOKENS))

    measured = measure_pairs(lambda: simple(books), cached, PAIRS)
    same_model = measure_pairs(lambda: simple(ours), cached, PAIRS)
    print_result(
        benchmark="generation",
        unit="tokens/s",
        same_tokens=all(torch.equal(answer, answers[0]) for answer in answers),
        **measured,
        ratio_same_model=same_model["ratio"],
    )


if __name__ == "__main__":
    main()

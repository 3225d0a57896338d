"""Two hundred greedy tokens of the 124M model: ``python -m benchmarks.generation``.

A: the book's ``generate_text_simple``, which computes the whole context anew for each token.
B: ours, with its key/value cache. The same weights, prompt and tokens, by turns. The ratio is
the tokens per second of B over those of A.
"""

import time
from collections.abc import Callable

import torch

from benchmarks.pairs import measure_pairs, print_result
from gpt_core import GPT_CONFIG_124M, build_model, generate, get_tokenizer, text_to_token_ids

NEW_TOKENS, PAIRS = 200, 3


def main() -> None:
    """Measure by turns."""
    from llms_from_scratch.ch04 import generate_text_simple

    model = build_model(GPT_CONFIG_124M, seed=123)
    prompt = text_to_token_ids("Every effort moves you", get_tokenizer())
    answers = []

    def tokens_per_second(write: Callable[[], torch.Tensor]) -> float:
        began = time.perf_counter()
        answers.append(write())
        return NEW_TOKENS / (time.perf_counter() - began)

    measured = measure_pairs(
        lambda: tokens_per_second(
            lambda: generate_text_simple(model, prompt, NEW_TOKENS, GPT_CONFIG_124M.context_length)
        ),
        lambda: tokens_per_second(lambda: generate(model, prompt, NEW_TOKENS)),
        PAIRS,
    )
    same = all(torch.equal(answer, answers[0]) for answer in answers)
    print_result(benchmark="generation", unit="tokens/s", same_tokens=same, **measured)


if __name__ == "__main__":
    main()

"""Writing text one token at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gpt_core.model import GPTModel, KeyValueCache


def generate(
    model: GPTModel,
    token_ids: Tensor,
    max_new_tokens: int,
    temperature: float = 0.0,
    top_k: int | None = None,
    eos_id: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Continue one row of token IDs (1, T) by up to ``max_new_tokens``: (1, T + new).

    Arguments and errors are those of :func:`stream_tokens`.

    Source: the chapter, "Decoding strategies to control randomness", ``generate``.
    """
    new_ids = stream_tokens(model, token_ids, max_new_tokens, temperature, top_k, eos_id, generator)
    return torch.cat((token_ids, *new_ids), dim=1)  # (1, T + new)


@torch.no_grad()
def stream_tokens(
    model: GPTModel,
    token_ids: Tensor,
    max_new_tokens: int,
    temperature: float = 0.0,
    top_k: int | None = None,
    eos_id: int | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    """Yield the tokens that continue one row of token IDs (1, T), each of shape (1, 1).

    The model sees at most its last context_length tokens. It should be in eval mode.

    Args:
        model: what predicts the next token.
        token_ids: the prompt, shape (1, T), at least one token.
        max_new_tokens: how many tokens to add at most.
        temperature: 0 always takes the most probable token (greedy); higher draws at random,
            below 1 more sharply than the model's own probabilities, above 1 more evenly.
        top_k: draw only among the k most probable tokens.
        eos_id: stop, without yielding it, where this token would come.
        generator: what the draws are made from. None is torch's global generator, which
            belongs to the run that trains.

    Raises:
        ValueError: the prompt is empty, or temperature or top_k is out of range.
    """
    if token_ids.shape[1] == 0:
        raise ValueError("The prompt is empty: give the model at least one token to go on from.")
    if temperature < 0:
        raise ValueError(f"temperature={temperature} is negative: choose 0 (greedy) or more.")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k={top_k} is too small: choose 1 or more.")

    caches: list[KeyValueCache] = []
    for _ in range(max_new_tokens):
        # Once the context is full it slides: each token moves to another position, so that no
        # key or value of before is right any more.
        if not caches or len(caches[0]) == model.config.context_length:
            caches = [KeyValueCache() for _ in model.trf_blocks]
            new_ids = token_ids[:, -model.config.context_length :]  # (1, at most context_length)
        x = model.features(new_ids, caches)[:, -1]  # (1, emb_dim)
        logits = model.out_head(x)  # (1, vocab_size): what comes after the last token
        if top_k is not None:
            top_logits, _ = torch.topk(logits, min(top_k, logits.shape[-1]))  # (1, k)
            logits = logits.masked_fill(logits < top_logits[:, -1:], -torch.inf)
        if temperature > 0:
            probas = torch.softmax(logits / temperature, dim=-1)  # (1, vocab_size)
            next_id = torch.multinomial(probas, num_samples=1, generator=generator)  # (1, 1)
        else:
            next_id = torch.argmax(logits, dim=-1, keepdim=True)  # (1, 1)
        if eos_id is not None and next_id.item() == eos_id:
            break
        yield next_id
        new_ids = next_id
        token_ids = torch.cat((token_ids, next_id), dim=1)  # (1, T + 1)

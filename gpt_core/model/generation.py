"""Text generation, one token at a time, and how each token is chosen."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gpt_core.model.gpt import GPTModel, KeyValueCache
from gpt_core.validation import check_number, check_whole

SHOWN_CANDIDATES = 12  # in a Choice
SMALLEST = 1e-6  # temperature or top_p; far smaller values exceed the range of float32
HOTTEST = 1e6  # practically uniform


@dataclass(frozen=True)
class Decoding:
    """How the next token is chosen from the model's scores.

    Args:
        temperature: 0 always takes the most probable token (greedy). Otherwise the token is drawn
            at random: below 1 the probabilities are sharper than the model's own, above 1 more
            even.
        top_k: draw only among the k most probable tokens.
        top_p: draw only among the most probable tokens that together reach this probability.

    Raises:
        ValueError: a value is out of range.
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        check_number(
            "temperature",
            self.temperature,
            lambda x: x == 0 or SMALLEST <= x <= HOTTEST,
            f"from {SMALLEST:f} to {HOTTEST:,.0f}, or 0 (greedy)",
        )
        if self.top_k is not None:
            check_whole("top_k", self.top_k, at_least=1)
        if self.top_p is not None:
            check_number(
                "top_p", self.top_p, lambda x: SMALLEST <= x <= 1, f"from {SMALLEST:f} to 1"
            )


GREEDY = Decoding()


@dataclass(frozen=True)
class Choice:
    """A chosen token, and the most probable candidates in the model's order.

    The chosen token is among the candidates. ``before`` holds their probabilities from the
    model, ``after`` those after top-k, temperature and top-p, from which the token is drawn.
    """

    token_id: int
    candidates: tuple[int, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]


def generate(
    model: GPTModel,
    token_ids: Tensor,
    max_new_tokens: int,
    temperature: float = 0.0,
    top_k: int | None = None,
    eos_id: int | None = None,
    generator: torch.Generator | None = None,
    top_p: float | None = None,
) -> Tensor:
    """Continue one row of token IDs (1, T) by up to ``max_new_tokens``: (1, T + new).

    Arguments and errors are those of :class:`Decoding` and :func:`stream_tokens`.

    Source: the chapter, "Decoding strategies to control randomness", ``generate``.
    """
    decoding = Decoding(temperature, top_k, top_p)
    new_ids = [
        next_id
        for next_id, _ in stream_tokens(
            model, token_ids, max_new_tokens, decoding, eos_id, generator
        )
    ]
    return torch.cat((token_ids, *new_ids), dim=1)  # (1, T + new)


@torch.no_grad()
def stream_tokens(
    model: GPTModel,
    token_ids: Tensor,
    max_new_tokens: int,
    decoding: Decoding = GREEDY,
    eos_id: int | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the tokens that continue one row of token IDs, each with its logits.

    The model sees at most the last context_length tokens. It should be in eval mode.

    Args:
        model: predicts the next token.
        token_ids: the prompt, shape (1, T), at least one token.
        max_new_tokens: maximum number of tokens to add.
        decoding: how each token is chosen.
        eos_id: stop when this token is chosen, without yielding it.
        generator: source of the random draws. None is torch's global generator.

    Yields:
        a token, shape (1, 1), and the logits from which it was chosen, shape (1, vocab_size).

    Raises:
        ValueError: the prompt is empty.
    """
    if token_ids.shape[1] == 0:
        raise ValueError("The prompt is empty: give the model at least one token to continue.")
    caches: list[KeyValueCache] = []
    for _ in range(max_new_tokens):
        # Once the context is full it slides: each token moves to another position, so the cached
        # keys and values are no longer correct.
        if not caches or len(caches[0]) == model.config.context_length:
            caches = [KeyValueCache() for _ in model.trf_blocks]
            new_ids = token_ids[:, -model.config.context_length :]  # (1, at most context_length)
        x = model.features(new_ids, caches)[:, -1]  # (1, emb_dim)
        logits = model.out_head(x)  # (1, vocab_size): scores of the next token
        if decoding.temperature == 0:
            next_id = torch.argmax(logits, dim=-1, keepdim=True)  # (1, 1)
        else:
            probas = next_token_probas(logits, decoding)  # (1, vocab_size)
            next_id = torch.multinomial(probas, num_samples=1, generator=generator)  # (1, 1)
        if eos_id is not None and next_id.item() == eos_id:
            break
        yield next_id, logits
        new_ids = next_id
        token_ids = torch.cat((token_ids, next_id), dim=1)  # (1, T + 1)


def next_token_probas(logits: Tensor, decoding: Decoding) -> Tensor:
    """Turn logits into the probabilities of the next token: (..., vocab_size) to the same shape.

    Source: the chapter, "Temperature scaling" and "Top-k sampling"; top-p: Holtzman et al.
    (2020), "The Curious Case of Neural Text Degeneration", section 3.1.
    """
    if decoding.top_k is not None:
        top_logits, _ = torch.topk(logits, min(decoding.top_k, logits.shape[-1]))  # (..., k)
        logits = logits.masked_fill(logits < top_logits[..., -1:], -torch.inf)
    if decoding.temperature == 0:  # greedy: everything on the most probable token
        best = logits.argmax(dim=-1, keepdim=True)  # (..., 1)
        return torch.zeros_like(logits).scatter(-1, best, 1.0)
    probas = torch.softmax(logits / decoding.temperature, dim=-1)  # (..., vocab_size)
    if decoding.top_p is not None and decoding.top_p < 1:  # 1 leaves all, but rounding might not
        ranked, order = probas.sort(dim=-1, descending=True)
        # A token stays unless the more probable ones reach top_p without it.
        ranked = ranked.masked_fill(ranked.cumsum(dim=-1) - ranked >= decoding.top_p, 0.0)
        probas = torch.zeros_like(probas).scatter(-1, order, ranked)
        probas = probas / probas.sum(dim=-1, keepdim=True)
    return probas


def describe_choice(next_id: Tensor, logits: Tensor, decoding: Decoding) -> Choice:
    """Return a token with the candidates from which it was chosen.

    Args:
        next_id: the chosen token, shape (1, 1).
        logits: the model's scores for it and all others, shape (1, vocab_size).
        decoding: how the token was chosen.
    """
    before = torch.softmax(logits[0], dim=-1)  # (vocab_size,)
    after = next_token_probas(logits[0], decoding)  # (vocab_size,)
    token_id = int(next_id.item())
    candidates = before.topk(min(SHOWN_CANDIDATES, len(before))).indices.tolist()
    if token_id not in candidates:
        candidates[-1] = token_id
    return Choice(
        token_id,
        tuple(candidates),
        tuple(before[candidates].tolist()),
        tuple(after[candidates].tolist()),
    )

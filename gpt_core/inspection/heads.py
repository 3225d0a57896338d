"""What each attention head looks at: four habits, measured on a sequence that repeats itself."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gpt_core.inspection.attention import block_weights
from gpt_core.inspection.trace import trace
from gpt_core.model import GPTModel

MAX_REPEATED = 32  # tokens that are repeated once


@dataclass(frozen=True)
class HeadScores:
    """How much each head looks at four places: the mean weight there, from 0 to 1.

    All have the shape (n_layers, n_heads).
    """

    previous: Tensor  # the token before
    first: Tensor  # the first token of the text
    same: Tensor  # the equal token, one repetition earlier
    induction: Tensor  # the token that followed the equal one: what comes next, if it repeats


@torch.no_grad()
def head_scores(model: GPTModel, seed: int = 0) -> HeadScores:
    """Measure on a random sequence, repeated once, what each head of a model looks at.

    No token occurs twice in the sequence itself, so a head that finds the equal token, or the one
    that followed it, does so by attention alone. The mean is over the second half.

    Args:
        model: in eval mode.
        seed: of the sequence, drawn from a generator of its own.

    Raises:
        ValueError: the model's context_length or vocabulary is too small for a sequence of two
            tokens and its repetition, or it is not in eval mode.

    Source: Olsson et al. (2022), "In-context Learning and Induction Heads".
    """
    config = model.config
    n = min(MAX_REPEATED, config.context_length // 2, config.vocab_size)
    if n < 2:
        raise ValueError("The model's context_length or vocabulary is too small to repeat tokens.")
    generator = torch.Generator().manual_seed(seed)
    # Each once; a large vocabulary need not be shuffled as a whole.
    drawn = torch.randperm(min(config.vocab_size, 50_257), generator=generator)[:n]  # (n,)
    ids = torch.cat((drawn, drawn)).unsqueeze(0).to(model.tok_emb.weight.device)  # (1, 2n)
    second = torch.arange(n, 2 * n)  # (n,), the positions of the second half
    places = {
        "previous": second - 1,
        "first": torch.zeros_like(second),
        "same": second - n,
        "induction": second - n + 1,
    }
    blocks = trace(model, ids).blocks
    weights = torch.stack([block_weights(block) for block in blocks])  # (n_layers, n_heads, 2n, 2n)
    return HeadScores(**{name: weights[:, :, second, at].mean(-1) for name, at in places.items()})

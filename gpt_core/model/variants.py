"""What the configuration can exchange in the chapter's model, each with its source."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROTARY_BASE = 10_000  # the slowest pair of numbers turns once in about this many tokens x 2 pi


class TiedHead(nn.Module):
    """An output head without weights of its own: a token's score is x times its embedding.

    Source: Press & Wolf (2017), "Using the Output Embedding to Improve Language Models"; GPT-2's.
    """

    def __init__(self, tok_emb: nn.Embedding) -> None:
        super().__init__()
        self.embedding = (tok_emb,)  # in a tuple, so that its weight is counted and saved once

    @property
    def weight(self) -> Tensor:
        """Return the token embedding's weight, (vocab_size, emb_dim)."""
        return self.embedding[0].weight

    def forward(self, x: Tensor) -> Tensor:
        """Map x (..., emb_dim) to logits (..., vocab_size)."""
        return F.linear(x, self.weight)


def rotary_turns(positions: Tensor, head_dim: int) -> Tensor:
    """Return cosines and sines of the angles by which positions (T,) turn: (2, T, head_dim).

    Number i and number i + head_dim / 2 are a pair, a point in a plane. The first pair turns by
    one radian per token, each further one more slowly. The first of a pair takes minus the sine.

    Source: Su et al. (2021), "RoFormer: Enhanced Transformer with Rotary Position Embedding",
    section 3.2.2.
    """
    pairs = torch.arange(0, head_dim, 2, device=positions.device)  # (head_dim / 2,)
    angles = positions.unsqueeze(1) * ROTARY_BASE ** (-pairs / head_dim)  # (T, head_dim / 2)
    cos, sin = angles.cos(), angles.sin()
    return torch.stack((torch.cat((cos, cos), dim=1), torch.cat((-sin, sin), dim=1)))


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Turn queries or keys x (B, n_heads, T, head_dim) by turns (2, T, head_dim).

    The product of a query and a key then depends on how far their tokens are apart, not on where
    they are.
    """
    cos, sin = turns.to(x.dtype)  # (T, head_dim) each
    partner = x.roll(x.shape[-1] // 2, dims=-1)  # the other number of each pair
    return x * cos + partner * sin  # (B, n_heads, T, head_dim)


def draw_gpt2_weights(
    model: nn.Module, n_layers: int, generator: torch.Generator | None = None
) -> None:
    """Draw all weights again as GPT-2's: standard deviation 0.02, biases 0.

    Of what is added to the residual stream 2 * n_layers times, the weights are smaller by the root
    of that number, so that the sum does not grow with the depth.

    Source: Radford et al. (2019), "Language Models are Unsupervised Multitask Learners",
    section 2.3, and the code published with it.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            is_added = name.endswith(("att.out_proj", "ff.layers.2"))
            std = 0.02 * (2 * n_layers) ** -0.5 if is_added else 0.02
            nn.init.normal_(module.weight, std=std, generator=generator)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

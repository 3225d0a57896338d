"""A GPT in one file, to be read beside the book, built from PyTorch's own kernels.

The parameters have the book's names and are created in the book's order, so the same
seed gives the same weights. The kernels (fused attention, layer norm, GELU) draw dropout
in the book's order, too: in float32 on a CPU a run's losses equal the book's.

What goes beyond the chapter is in ``variants.py`` and chosen by the configuration.

Shapes: B rows in a batch, T tokens in a row, emb_dim numbers per token.
"""

from collections.abc import Sequence
from itertools import zip_longest

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gpt_core.config import GPTConfig
from gpt_core.model.kernels import Dropout, Linear, causal_attention
from gpt_core.model.variants import TiedHead, draw_gpt2_weights, rotary_turns, rotate


class LayerNorm(nn.Module):
    """Normalise each token's vector to mean 0 and variance 1; apply a learnt scale and shift."""

    def __init__(self, emb_dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(emb_dim))
        self.shift = nn.Parameter(torch.zeros(emb_dim))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (B, T, emb_dim) over its last dimension."""
        return F.layer_norm(x, self.scale.shape, self.scale, self.shift, eps=1e-5)


def create_norm(config: GPTConfig) -> nn.Module:
    """Return the chapter's norm, or what leaves its input as it is."""
    return LayerNorm(config.emb_dim) if config.norm == "layernorm" else nn.Identity()


class KeyValueCache:
    """The keys and values of one block's attention for the tokens so far, for reuse."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None  # (B, n_heads, T so far, head_dim)
        self.values: Tensor | None = None  # (B, n_heads, T so far, head_dim)

    def __len__(self) -> int:
        return 0 if self.keys is None else self.keys.shape[2]

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append the keys and values of new tokens; return those of all tokens."""
        if self.keys is not None and self.values is not None:
            keys = torch.cat((self.keys, keys), dim=2)
            values = torch.cat((self.values, values), dim=2)
        self.keys, self.values = keys, values
        return keys, values


class MultiHeadAttention(nn.Module):
    """Causal self-attention: each token attends to itself and to the tokens before it."""

    def __init__(self, config: GPTConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.drop_rate = config.drop_rate
        self.generator = generator
        self.W_query = Linear(config.emb_dim, config.emb_dim, bias=config.qkv_bias)
        self.W_key = Linear(config.emb_dim, config.emb_dim, bias=config.qkv_bias)
        self.W_value = Linear(config.emb_dim, config.emb_dim, bias=config.qkv_bias)
        self.out_proj = Linear(config.emb_dim, config.emb_dim)

    def forward(
        self, x: Tensor, cache: KeyValueCache | None = None, turns: Tensor | None = None
    ) -> Tensor:
        """Mix each token's vector with its predecessors': (B, T, emb_dim) to the same shape.

        With a cache, x holds the whole prompt or, after that, one new token at a time. Rotary
        positions turn queries and keys by turns (2, T, head_dim).
        """
        queries, keys, values = self.project(x, turns)  # (B, n_heads, T, head_dim) each
        if cache is not None:
            keys, values = cache.extend(keys, values)  # (B, n_heads, T so far, head_dim)
        drop_rate = self.drop_rate if self.training else 0.0
        context = causal_attention(
            queries, keys, values, drop_rate, self.generator
        )  # (B, n_heads, T, head_dim)
        return self.out_proj(context.transpose(1, 2).flatten(2))  # (B, T, emb_dim)

    def project(self, x: Tensor, turns: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Map x (B, T, emb_dim) to queries, keys and values, (B, n_heads, T, head_dim) each."""
        queries = self._split_heads(self.W_query(x))  # (B, n_heads, T, head_dim)
        keys = self._split_heads(self.W_key(x))  # (B, n_heads, T, head_dim)
        values = self._split_heads(self.W_value(x))  # (B, n_heads, T, head_dim)
        if turns is not None:
            queries, keys = rotate(queries, turns), rotate(keys, turns)
        return queries, keys, values

    def _split_heads(self, x: Tensor) -> Tensor:
        """Reshape (B, T, emb_dim) to (B, n_heads, T, head_dim)."""
        return x.unflatten(2, (self.n_heads, -1)).transpose(1, 2)


class FeedForward(nn.Module):
    """Two linear layers with a GELU between them, four times as wide inside."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Linear(config.emb_dim, 4 * config.emb_dim),
            nn.GELU(approximate="tanh"),
            Linear(4 * config.emb_dim, config.emb_dim),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Transform each token's vector by itself: (B, T, emb_dim) to the same shape."""
        return self.layers(x)


class TransformerBlock(nn.Module):
    """Attention, then feed-forward; each normalises its input and is added to it."""

    def __init__(self, config: GPTConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.att = MultiHeadAttention(config, generator)
        self.ff = FeedForward(config)
        self.norm1 = create_norm(config)
        self.norm2 = create_norm(config)
        self.drop_resid = Dropout(config.drop_rate, generator)
        self.residual = config.residual

    def forward(
        self, x: Tensor, cache: KeyValueCache | None = None, turns: Tensor | None = None
    ) -> Tensor:
        """Refine each token's vector: (B, T, emb_dim) to the same shape."""
        attended = self.drop_resid(self.att(self.norm1(x), cache, turns))
        x = x + attended if self.residual else attended
        transformed = self.drop_resid(self.ff(self.norm2(x)))
        return x + transformed if self.residual else transformed


class GPTModel(nn.Module):
    """Map token IDs to one score (logit) per position and token of the vocabulary.

    The constructor draws the weights from torch's global random generator, as in the
    chapter (after ``torch.manual_seed(123)``). In a program whose other threads may use that
    generator, :func:`build_model` gives the same weights from a generator of its own.

    Args:
        config: the architecture.
        generator: source of dropout's random numbers on a CPU; None is torch's global one.
    """

    def __init__(self, config: GPTConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.generator = generator
        self.vocabulary = ""  # what its token IDs mean: a tokenizer.json; "" for GPT-2's
        self.tok_emb = nn.Embedding(config.vocab_size, config.emb_dim)
        if config.positions == "learned":  # the other kinds have no weights
            self.pos_emb = nn.Embedding(config.context_length, config.emb_dim)
        self.drop_emb = Dropout(config.drop_rate, generator)
        self.trf_blocks = nn.Sequential(
            *[TransformerBlock(config, generator) for _ in range(config.n_layers)]
        )
        self.final_norm = create_norm(config)
        self.out_head = (
            TiedHead(self.tok_emb)
            if config.tied_head
            else Linear(config.emb_dim, config.vocab_size, bias=False)
        )
        if config.initialization == "gpt2":
            draw_gpt2_weights(self, config.n_layers)

    def forward(self, ids: Tensor) -> Tensor:
        """Map token IDs (B, T) to logits (B, T, vocab_size).

        Raises:
            ValueError: T is more than the model's context_length.
        """
        return self.out_head(self.features(ids))  # (B, T, vocab_size)

    def features(self, ids: Tensor, caches: Sequence[KeyValueCache] = ()) -> Tensor:
        """Map token IDs (B, T) to the input of the output head, (B, T, emb_dim).

        With one cache per block, the IDs continue the cached tokens: first the whole prompt,
        then one token at a time.

        Raises:
            ValueError: T plus the number of cached tokens is more than context_length.
        """
        start = len(caches[0]) if caches else 0
        assert start == 0 or ids.shape[1] == 1, "only a prompt may be several tokens"
        assert len(caches) in (0, len(self.trf_blocks)), "one cache per block"
        num_tokens = start + ids.shape[1]
        if num_tokens > self.config.context_length:
            raise ValueError(
                f"{num_tokens} tokens are more than context_length={self.config.context_length}: "
                "give the model only the last ones, ids[:, -context_length:]."
            )
        positions = torch.arange(start, num_tokens, device=ids.device)  # (T,)
        x = self.tok_emb(ids)  # (B, T, emb_dim)
        if self.config.positions == "learned":
            x = x + self.pos_emb(positions)  # (B, T, emb_dim)
        turns = self.rotary_turns(positions)
        x = self.drop_emb(x)
        for block, cache in zip_longest(self.trf_blocks, caches):
            x = block(x, cache, turns)
        return self.final_norm(x)

    def rotary_turns(self, positions: Tensor) -> Tensor | None:
        """Return by what positions (T,) turn queries and keys, (2, T, head_dim), if they do."""
        if self.config.positions != "rotary":
            return None
        return rotary_turns(positions, self.config.head_dim)


def outline(config: GPTConfig, generator: torch.Generator | None = None) -> GPTModel:
    """Return a model with shapes only: nothing is allocated or drawn."""
    with torch.device("meta"):
        return GPTModel(config, generator)


def build_model(config: GPTConfig, seed: int, generator: torch.Generator | None = None) -> GPTModel:
    """Build a model on the CPU, in eval mode, with the weights that the seed gives.

    The weights, and what dropout draws later, equal those of ``torch.manual_seed(seed);
    GPTModel(config)``, but come from a generator of the model's own.

    Args:
        config: the architecture.
        seed: the seed.
        generator: becomes the model's own, and is seeded; None makes one.
    """
    generator = (generator or torch.Generator()).manual_seed(seed)
    model = outline(config, generator).to_empty(device="cpu")
    for module in model.modules():  # in the order in which the constructors draw
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, generator=generator)
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5  # nn.Linear's own rule
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -bound, bound, generator=generator)
        elif isinstance(module, LayerNorm):
            nn.init.ones_(module.scale)
            nn.init.zeros_(module.shift)
    if config.initialization == "gpt2":
        draw_gpt2_weights(model, config.n_layers, generator)
    return model.eval()

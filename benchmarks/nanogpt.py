"""nanoGPT's recipes, as a peer: for small texts on a CPU, and for GPT-2's 124M on a GPU.

Written down from its README's settings ("I only have a macbook") and GPT-2's architecture, none of
it copied: GPT-2's blocks without biases, GELU, the output head tied to the embedding, weights drawn
with standard deviation 0.02, those into the residual stream smaller by the root of twice the number
of blocks. Windows of the text at random places; AdamW whose decay spares all vectors; gradients
clipped; the learning rate rises for 100 steps and falls along half a cosine.

On a GPU (its train_gpt2 settings): context 1024, the vocabulary padded to 50,304, products in
bfloat16 and TF32, the whole model compiled, AdamW fused.

Source: https://github.com/karpathy/nanoGPT; Radford et al. (2019), "Language Models are
Unsupervised Multitask Learners", section 2.3.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Recipe:
    """The settings of the CPU recipe; a step is one update."""

    context_length: int = 64
    batch_size: int = 12
    n_layers: int = 4
    n_heads: int = 4
    emb_dim: int = 128
    steps: int = 2000
    warmup_steps: int = 100
    learning_rate: float = 1e-3
    min_learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.1
    max_grad_norm: float = 1.0

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of an update, counted from 0."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / (self.warmup_steps + 1)
        done = (step - self.warmup_steps) / (self.steps - self.warmup_steps)
        height = (1 + math.cos(math.pi * done)) / 2  # 1 to 0
        return self.min_learning_rate + height * (self.learning_rate - self.min_learning_rate)


class Block(nn.Module):
    """Attention and feed-forward, each normalised before and added to what came in."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        emb_dim = recipe.emb_dim
        self.n_heads = recipe.n_heads
        self.attention_norm = nn.LayerNorm(emb_dim, bias=False)
        self.queries_keys_values = nn.Linear(emb_dim, 3 * emb_dim, bias=False)
        self.attention_out = nn.Linear(emb_dim, emb_dim, bias=False)
        self.feed_norm = nn.LayerNorm(emb_dim, bias=False)
        self.feed_in = nn.Linear(emb_dim, 4 * emb_dim, bias=False)
        self.feed_out = nn.Linear(4 * emb_dim, emb_dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Refine each token's vector: (B, T, emb_dim) to the same shape."""
        B, T, emb_dim = x.shape
        q, k, v = (
            part.view(B, T, self.n_heads, -1).transpose(1, 2)  # (B, n_heads, T, head_dim)
            for part in self.queries_keys_values(self.attention_norm(x)).split(emb_dim, dim=2)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attention_out(mixed.transpose(1, 2).reshape(B, T, emb_dim))
        return x + self.feed_out(F.gelu(self.feed_in(self.feed_norm(x))))


class NanoGPT(nn.Module):
    """Token IDs (B, T) to logits (B, T, vocab_size)."""

    def __init__(self, vocab_size: int, recipe: Recipe) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, recipe.emb_dim)
        self.positions = nn.Embedding(recipe.context_length, recipe.emb_dim)
        self.blocks = nn.ModuleList(Block(recipe) for _ in range(recipe.n_layers))
        self.final_norm = nn.LayerNorm(recipe.emb_dim, bias=False)
        self.head = nn.Linear(recipe.emb_dim, vocab_size, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                into_residual = name.endswith(("attention_out.weight", "feed_out.weight"))
                scale = (2 * recipe.n_layers) ** -0.5 if into_residual else 1.0
                nn.init.normal_(parameter, std=0.02 * scale)
        self.head.weight = self.tokens.weight

    def forward(self, ids: Tensor) -> Tensor:
        """Map token IDs (B, T) to logits (B, T, vocab_size)."""
        positions = torch.arange(ids.shape[1], device=ids.device)  # (T,)
        x = self.tokens(ids) + self.positions(positions)  # (B, T, emb_dim)
        for block in self.blocks:
            x = block(x)
        return self.head(self.final_norm(x))


GPU_RECIPE = Recipe(
    context_length=1024,
    n_layers=12,
    n_heads=12,
    emb_dim=768,
    learning_rate=6e-4,
    min_learning_rate=6e-5,
    betas=(0.9, 0.95),
)
GPU_VOCABULARY = 50_304  # GPT-2's 50,257, padded to a multiple of 64


def decay_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, object]]:
    """Return the optimizer's groups: matrices decay, vectors do not."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    return [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def gpu_step(
    device: str, vocab_size: int, recipe: Recipe, compiles: bool
) -> Callable[[Tensor, Tensor], float]:
    """Return one update of the GPU recipe for inputs and targets (B, T), which gives its loss.

    The caller switches TF32 on, as the recipe does for the whole process.
    """
    model = NanoGPT(vocab_size, recipe).to(device)
    optimizer = torch.optim.AdamW(
        decay_groups(model, recipe), lr=recipe.learning_rate, betas=recipe.betas, fused=True
    )

    def calc_loss(inputs: Tensor, targets: Tensor) -> Tensor:
        logits = model(inputs)  # (B, T, vocab_size)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    compiled = torch.compile(calc_loss) if compiles else calc_loss

    def step(inputs: Tensor, targets: Tensor) -> float:
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = compiled(inputs, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


class Trainer:
    """nanoGPT's model, optimizer and random windows; each call of :meth:`step` is one update."""

    def __init__(self, token_ids: Tensor, vocab_size: int, recipe: Recipe, seed: int) -> None:
        torch.manual_seed(seed)
        self.token_ids = token_ids  # (N,)
        self.recipe = recipe
        self.model = NanoGPT(vocab_size, recipe)
        self.optimizer = torch.optim.AdamW(
            decay_groups(self.model, recipe), lr=recipe.learning_rate, betas=recipe.betas
        )

    def step(self, number: int) -> float:
        """Make update ``number``, counted from 0; return the loss of its batch."""
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate_at(number)
        length = recipe.context_length
        starts = torch.randint(len(self.token_ids) - length, (recipe.batch_size,)).tolist()
        inputs = torch.stack([self.token_ids[i : i + length].long() for i in starts])
        targets = torch.stack([self.token_ids[i + 1 : i + 1 + length].long() for i in starts])
        logits = self.model(inputs)  # (B, T, vocab_size)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), recipe.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

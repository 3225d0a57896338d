"""Fast kernels for a CPU, separate from the model that is read beside the book.

Training: under ``torch.autocast("cpu")`` PyTorch runs the matrix products in bfloat16; then the
rest of the step limits the speed. Dropout, attention and the loss here compute what the chapter
computes, up to rounding and the draw of dropout. On other devices each is PyTorch's own. On a CPU
in float32 they equal PyTorch's bit for bit, except the loss's gradients, which equal them up to
rounding.

Dropout: PyTorch's functions draw from the global generator, which any thread may use. Here it
draws from the generator that it is given, so that nothing else changes a run's losses; None is the
global one. Other devices have fused kernels that take no generator: there it is the device's own.

Generation: each new token reads all weights once, so memory limits the speed.
:func:`transpose_weights` lays the weights out so that all threads read. docs/LOG.md says how much
time each kernel saves.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

ROWS = 64  # of logits that are converted to float32 at once: 13 MB, which fits into caches
SMALL_VOCABULARY = 8192  # up to this size, the logits are small, and PyTorch's own loss is faster
COLUMNS = 12288  # of the vocabulary per product: whole cache lines, unlike 50257
FEW_ROWS = 8  # up to this number, memory limits a product's speed, not arithmetic
SLABS = 4  # of a weight that threads read in parallel; with more, memory is the limit


def is_plain(x: Tensor) -> bool:
    """Tell whether x is for PyTorch's own functions: not on a CPU, or compiled there."""
    return x.device.type != "cpu" or torch.compiler.is_compiling()


def is_reduced(x: Tensor) -> bool:
    """Tell whether x is on the CPU, where autocast runs products in bfloat16."""
    return not is_plain(x) and torch.is_autocast_enabled("cpu")


class Linear(nn.Linear):
    """A linear layer that is fast with few rows after :func:`transpose_weights`."""

    is_transposed = False  # whether its weight is laid out input by input

    def forward(self, x: Tensor) -> Tensor:
        """Map x (..., in_features) to x @ weight.T + bias: (..., out_features)."""
        rows = x.numel() // self.in_features
        if not (self.is_transposed and 1 <= rows <= FEW_ROWS):
            return super().forward(x)
        # A product with one row leaves all but one thread idle. Split by inputs, it becomes a sum
        # of several products, which run in parallel.
        slabs = math.gcd(SLABS, self.in_features)
        pieces = x.reshape(rows, slabs, -1).transpose(0, 1)  # (slabs, rows, in_features / slabs)
        weights = self.weight.T.unflatten(0, (slabs, -1))  # (slabs, in_features / slabs, out)
        y = torch.bmm(pieces, weights).sum(dim=0)  # (rows, out_features)
        if self.bias is not None:
            y = y + self.bias
        return y.view(*x.shape[:-1], self.out_features)


def transpose_weights(model: nn.Module) -> None:
    """Lay out the weights of a model's linear layers input by input, for generation.

    Their shapes and values stay the same. On a CPU the model then generates about twice as fast;
    its results change only by rounding.
    """
    for module in model.modules():
        if isinstance(module, Linear) and not module.is_transposed:
            module.weight.data = module.weight.detach().T.contiguous().T
            module.is_transposed = True


class Dropout(nn.Dropout):
    """Dropout that draws from a generator of its own."""

    def __init__(self, p: float, generator: torch.Generator | None = None) -> None:
        super().__init__(p)
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Zero elements of x with probability p and scale the others by 1 / (1 - p)."""
        return dropout(x, self.p, self.generator) if self.training else x


def dropout(x: Tensor, p: float, generator: torch.Generator | None = None) -> Tensor:
    """Zero elements of x with probability p and scale the others by 1 / (1 - p).

    Where precision is reduced, each random number serves four elements.
    """
    if p == 0:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, p)
    if is_reduced(x):
        dropped: Tensor = _Dropout.apply(x, p, generator)  # type: ignore[no-untyped-call]
        return dropped
    return x * torch.empty_like(x).bernoulli_(1 - p, generator=generator).div_(1 - p)


def causal_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    drop_rate: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Let each token attend to itself and those before it.

    All three tensors and the result have the shape (B, n_heads, T, head_dim). A single query is
    the newest token's: it may attend to all keys, so nothing is masked.
    """
    T, head_dim = queries.shape[-2:]
    if T > 1 and is_reduced(queries):
        q, k, v = (x.flatten(0, 1) for x in (queries, keys, values))  # (B * n_heads, T, head_dim)
        future = torch.full((T, T), -torch.inf, dtype=q.dtype).triu(diagonal=1)
        scores = torch.baddbmm(future, q, k.mT, alpha=head_dim**-0.5)  # (B * n_heads, T, T)
        weights = torch.softmax(scores, dim=-1)  # (B * n_heads, T, T)
        return (dropout(weights, drop_rate, generator) @ v).view_as(queries)
    if T > 1 and drop_rate > 0 and queries.device.type == "cpu":
        # What PyTorch's own function computes here, in its order, so that the bits are the same.
        scale = math.sqrt(head_dim**-0.5)
        future = torch.full((T, T), -torch.inf, dtype=queries.dtype).triu(diagonal=1)
        scores = ((queries * scale) @ (keys.mT * scale)).add_(future)  # (B, n_heads, T, T)
        weights = torch.softmax(scores, dim=-1)  # (B, n_heads, T, T)
        return dropout(weights, drop_rate, generator) @ values
    return F.scaled_dot_product_attention(
        queries, keys, values, dropout_p=drop_rate, is_causal=T > 1
    )


def linear_cross_entropy(
    x: Tensor, weight: Tensor, targets: Tensor, predicted: Tensor | None = None
) -> Tensor:
    """Return ``F.cross_entropy(F.linear(x, weight), targets)`` for x (N, emb_dim), targets (N,).

    ``predicted``, (N,), if given, is filled with the most probable token of each row.

    On a CPU the output layer and the loss are one operation: the only array of N × vocab_size is
    that of the logits. Their gradients are computed a few rows at a time and overwrite them.
    """
    if is_plain(x) or len(weight) <= SMALL_VOCABULARY:
        logits = F.linear(x, weight)  # (N, vocab_size)
        if predicted is not None:
            predicted.copy_(logits.argmax(dim=-1))
        return F.cross_entropy(logits, targets)
    learns = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    loss: Tensor = _LinearCrossEntropy.apply(x, weight, targets, learns, predicted)  # type: ignore[no-untyped-call]
    return loss


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
        # 16 random bits per element, as integers from -32768: p is exact to 1 in 65536.
        draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64)
        draws.random_(-(2**63), None, generator=generator)
        bits = draws.view(torch.int16)[: x.numel()].view(x.shape)
        kept = bits >= min(round(p * 2**16), 2**16 - 1) - 2**15
        ctx.save_for_backward(kept)
        ctx.scale = 1 / (1 - p)
        return x.mul(kept).mul_(ctx.scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors
        return grad.mul(kept).mul_(ctx.scale), None, None


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        targets: Tensor,
        learns: bool,
        predicted: Tensor | None,
    ) -> Tensor:
        dtype = torch.bfloat16 if is_reduced(x) else x.dtype
        x = x.to(dtype)  # (N, emb_dim)
        logits = x @ weight.to(dtype).T  # (N, vocab_size)
        exact = torch.promote_types(dtype, torch.float32)
        target_log_probas = torch.empty(len(x), 1, dtype=exact)  # (N, 1)
        for i in range(0, len(x), ROWS):
            right = targets[i : i + ROWS].unsqueeze(1)  # (rows, 1)
            log_probas = torch.log_softmax(logits[i : i + ROWS], dim=-1, dtype=exact)
            target_log_probas[i : i + ROWS] = log_probas.gather(1, right)
            if predicted is not None:
                # The same as argmax, which takes twice as long.
                predicted[i : i + ROWS] = log_probas.max(dim=-1).indices
            if learns:
                # The gradient by the logits: their probabilities, minus 1 at the target.
                grad = log_probas.exp_()
                grad.scatter_add_(1, right, torch.full_like(right, -1, dtype=grad.dtype))
                logits[i : i + ROWS] = grad.div_(len(x))
        ctx.save_for_backward(x, weight, logits)
        # cross_entropy's mean adds in the same order, so the last digit is the same, too.
        return F.nll_loss(target_log_probas, torch.zeros_like(targets))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        x, weight, grad_logits = ctx.saved_tensors
        grad_x = (grad_logits @ weight.to(x.dtype)).to(weight.dtype)  # (N, emb_dim)
        grad_weight = torch.empty_like(weight)  # (vocab_size, emb_dim)
        for i in range(0, len(weight), COLUMNS):
            grad_weight[i : i + COLUMNS] = grad_logits[:, i : i + COLUMNS].T @ x
        return (
            grad_x.mul_(grad),
            grad_weight.mul_(grad) if grad != 1 else grad_weight,
            None,
            None,
            None,
        )

"""The memory that training takes, counted from the configuration alone."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.model.gpt import outline
from gpt_core.model.kernels import COLUMNS, SMALL_VOCABULARY
from gpt_core.model.size import BYTES_PER_PARAMETER, count_config_parameters, count_looked_up

FLOAT32, BFLOAT16, BOOL = 4, 2, 1  # bytes of a number
LOSS_COPIES = (
    3  # float32 arrays of the logits' size in PyTorch's loss: log-probabilities, 2 gradients
)


@dataclass(frozen=True)
class TrainingMemory:
    """The bytes that training takes on each device, by what they are for."""

    weights: int
    gradients: int
    optimizer: int  # AdamW's two moments, or this device's share of them
    weight_copies: int  # the matrices in bfloat16, from the forward to the backward pass
    activations: int  # what the backward pass needs, of one batch
    loss: int  # the logits and what is made of them, at their largest
    keeps_gradients: bool  # while another batch is computed

    @property
    def model(self) -> int:
        """Return the bytes that do not depend on the batch: weights, gradients, moments."""
        return self.weights + self.gradients + self.optimizer

    @property
    def peak(self) -> int:
        """Return the most bytes at any time of a step.

        The backward pass makes gradients while it frees activations. With a single batch per
        update there are none yet when the activations are complete.
        """
        batch = self.weight_copies + self.activations + self.loss
        if self.keeps_gradients:
            return self.model + batch
        return self.weights + self.optimizer + max(self.gradients, batch)


@lru_cache(maxsize=64)  # a form needs it at each redraw
def training_memory(
    model: GPTConfig, training: TrainingConfig, devices: int = 1, *, shards_optimizer: bool = False
) -> TrainingMemory:
    """Count the memory of a training step on each of several devices that share its batches.

    The program itself, a few hundred megabytes, and the allocator's gaps come on top.

    With P parameters, N = batch_size · context_length tokens and widths as in the configuration:

    - weights and gradients 4 P each; AdamW's moments 8 P, of the whole or of the largest share;
    - bfloat16: 2 bytes for each parameter in a product;
    - activations of a block and its dropout masks: see :func:`_block_bytes`;
    - loss: 12 N · vocab_size where PyTorch computes it, which converts bfloat16 logits; 4 or 2
      N · vocab_size in our kernel for CPUs, and the head's gradient, which it makes meanwhile.

    Args:
        model: the architecture.
        training: gives batch_size, accumulation_steps, optimizer, precision and device; "auto" is
            counted as float32 on a CPU: resolve it first.
        devices: how many devices train one model, each on batches of its own.
        shards_optimizer: whether each device keeps only its share of the moments.

    Source: Rajbhandari et al. (2020), "ZeRO: Memory Optimizations Toward Training Trillion
    Parameter Models", section 3 (weights, gradients, moments, sharded moments); Korthikanti et al.
    (2022), "Reducing Activation Recomputation in Large Transformer Models", section 4 (the count
    of activations, here of this model's kernels).
    """
    parameters = count_config_parameters(model)
    products = parameters - count_looked_up(model)
    tokens = training.batch_size * model.context_length
    head = model.vocab_size * model.emb_dim
    is_reduced, is_fused = training.precision == "bfloat16", _has_fused_loss(model, training)
    mask = _mask_bytes(model, training)
    outer = mask + FLOAT32 + (FLOAT32 if model.norm == "layernorm" else 0)  # final norm, its result
    if is_reduced:
        outer += BFLOAT16
    return TrainingMemory(
        weights=BYTES_PER_PARAMETER * parameters,
        gradients=BYTES_PER_PARAMETER * parameters,
        optimizer=_optimizer_bytes(model, training, devices if shards_optimizer else 1),
        weight_copies=BFLOAT16 * (products - (head if is_fused else 0)) if is_reduced else 0,
        activations=model.n_layers * _block_bytes(model, training) + tokens * model.emb_dim * outer,
        loss=_loss_bytes(model, training),
        # PyTorch's DistributedDataParallel keeps them in its buckets.
        keeps_gradients=training.accumulation_steps > 1 or devices > 1,
    )


def _block_bytes(model: GPTConfig, training: TrainingConfig) -> int:
    """Return the bytes that a block's forward pass keeps for its backward pass.

    For each of a token's emb_dim numbers, in float32: both norms' inputs and results, queries,
    keys, values, their mixture, and the feed-forward's two inner layers, each four times as wide:
    16 numbers. In bfloat16 the norms' inputs stay float32, and the first norm's result is converted
    three times. Dropout adds two masks.

    Attention's weights, n_heads · context_length numbers for each token, are kept only where no
    fused kernel computes it: on a CPU with dropout or in bfloat16.
    """
    tokens = training.batch_size * model.context_length
    norms = 2 if model.norm == "layernorm" else 0
    if training.precision == "bfloat16":
        numbers = norms * FLOAT32 + (3 + 3 + 1 + 1 + 8) * BFLOAT16
    else:
        numbers = (norms + 1 + 3 + 1 + 1 + 8) * FLOAT32
    numbers += 2 * _mask_bytes(model, training)
    weights = model.n_heads * model.context_length * _attention_bytes(model, training)
    return tokens * (model.emb_dim * numbers + weights)


def _mask_bytes(model: GPTConfig, training: TrainingConfig) -> int:
    """Return the bytes of a dropout mask for each number that it covers."""
    if model.drop_rate == 0:
        return 0
    is_multiplied = training.device not in ("cuda", "mps") and training.precision != "bfloat16"
    return FLOAT32 if is_multiplied else BOOL


def _attention_bytes(model: GPTConfig, training: TrainingConfig) -> int:
    """Return the bytes kept for each attention weight: softmax, mask, and both multiplied."""
    if training.device == "cuda":
        return 0
    size = BFLOAT16 if training.precision == "bfloat16" else FLOAT32
    if model.drop_rate > 0:
        return size + _mask_bytes(model, training) + size
    is_fused = training.device != "mps" and training.precision != "bfloat16"
    return 0 if is_fused else size


def _has_fused_loss(model: GPTConfig, training: TrainingConfig) -> bool:
    """Tell whether output layer and loss are one operation: ``linear_cross_entropy`` on a CPU."""
    return training.device not in ("cuda", "mps") and model.vocab_size > SMALL_VOCABULARY


def _loss_bytes(model: GPTConfig, training: TrainingConfig) -> int:
    """Return the most bytes that logits, loss and their gradients take at the same time."""
    logits = training.batch_size * model.context_length * model.vocab_size
    if not _has_fused_loss(model, training):
        return LOSS_COPIES * FLOAT32 * logits
    size = BFLOAT16 if training.precision == "bfloat16" else FLOAT32
    gradient = FLOAT32 * model.vocab_size + size * min(COLUMNS, model.vocab_size)
    return size * logits + model.emb_dim * gradient


def _optimizer_bytes(model: GPTConfig, training: TrainingConfig, shares: int) -> int:
    """Return the bytes of an optimizer's state, or of the largest of several shares of it.

    Whole tensors are shared out, the largest first, each to who has least, as PyTorch's
    ``ZeroRedundancyOptimizer`` does. Muon has one moment for each matrix of a block, AdamW two.
    """
    one = outline(replace(model, n_layers=1))
    in_blocks = [p for p in one.trf_blocks.parameters() for _ in range(model.n_layers)]
    outside = [p for name, p in one.named_parameters() if not name.startswith("trf_blocks.")]

    def moments(dimensions: int) -> int:
        return 1 if training.optimizer == "muon" and dimensions == 2 else 2

    sizes = [2 * p.numel() for p in outside] + [moments(p.ndim) * p.numel() for p in in_blocks]
    return BYTES_PER_PARAMETER * _largest_share(sizes, shares)


def _largest_share(sizes: Sequence[int], shares: int) -> int:
    """Return the largest share if whole sizes are shared out, the largest first."""
    loads = [0] * shares
    for size in sorted(sizes, reverse=True):
        heapq.heapreplace(loads, loads[0] + size)
    return max(loads)

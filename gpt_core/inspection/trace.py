"""One text's way through a GPT, with everything kept that the fused kernels throw away.

The functions of this package that look inside a forward pass begin with :func:`trace`. It runs the
model's own modules one after the other, as ``GPTModel.features`` does, and registers no hooks:
other threads may use the model at the same time.
"""

from collections.abc import Collection
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from gpt_core.config import GPTConfig
from gpt_core.model import GPTModel, TransformerBlock, causal_attention

MEMORY_BUDGET = 2**30  # bytes of what one call returns; a page asks for at most 128 tokens


@dataclass(frozen=True)
class BlockTrace:
    """What one block did with a row of T tokens."""

    queries: Tensor  # (n_heads, T, head_dim)
    keys: Tensor  # (n_heads, T, head_dim)
    context: Tensor  # (T, emb_dim), the heads' outputs side by side, before out_proj
    attention: Tensor  # (T, emb_dim), what attention adds to the stream
    feed_forward: Tensor  # (T, emb_dim), what the feed-forward adds to the stream


@dataclass(frozen=True)
class Trace:
    """A row of T tokens on its way through a model."""

    ids: Tensor  # (T,)
    token_embeddings: Tensor  # (T, emb_dim)
    position_embeddings: Tensor | None  # (T, emb_dim); None if the model has none
    blocks: tuple[BlockTrace, ...]
    residual: bool = True  # whether each part's output is added to its input, or replaces it

    def streams(self) -> Tensor:
        """Return the residual stream, (2 · n_layers + 1, T, emb_dim).

        The first is that after the embedding, then that after each attention and feed-forward.
        """
        x = self.token_embeddings  # (T, emb_dim)
        if self.position_embeddings is not None:
            x = x + self.position_embeddings
        streams = [x]
        for block in self.blocks:
            for output in (block.attention, block.feed_forward):
                streams.append(streams[-1] + output if self.residual else output)
        return torch.stack(streams)


@torch.no_grad()
def trace(model: GPTModel, ids: Tensor) -> Trace:
    """Send one row of token IDs (1, T) through a model and keep what each block did.

    Raises:
        ValueError: there are several rows, more tokens than the model's context_length, the model
            is not in eval mode, or the trace would take too much memory.
    """
    row = one_row(model, ids)  # (T,)
    check_memory("trace", 7 * model.config.n_layers * len(row) * model.config.emb_dim)
    places = torch.arange(len(row), device=row.device)  # (T,)
    tokens = model.tok_emb(row)  # (T, emb_dim)
    positions = model.pos_emb(places) if model.config.positions == "learned" else None
    x = (tokens if positions is None else tokens + positions).unsqueeze(0)  # (1, T, emb_dim)
    turns = model.rotary_turns(places)
    traces = []
    for block in blocks_of(model):
        queries, keys, values = block.att.project(block.norm1(x), turns)
        context = causal_attention(queries, keys, values, 0.0)  # (1, n_heads, T, head_dim)
        joined = context.transpose(1, 2).flatten(2)  # (1, T, emb_dim)
        attention = block.att.out_proj(joined)  # (1, T, emb_dim)
        x = x + attention if block.residual else attention
        transformed = block.ff(block.norm2(x))  # (1, T, emb_dim)
        x = x + transformed if block.residual else transformed
        traces.append(BlockTrace(queries[0], keys[0], joined[0], attention[0], transformed[0]))
    return Trace(row, tokens, positions, tuple(traces), model.config.residual)


def blocks_of(model: GPTModel) -> list[TransformerBlock]:
    """Return a model's blocks, in order."""
    return [block for block in model.trf_blocks if isinstance(block, TransformerBlock)]


def one_row(model: GPTModel, ids: Tensor) -> Tensor:
    """Return the only row of ids (1, T), as (T,).

    Raises:
        ValueError: there are several rows, no token, more tokens than the model's context_length,
            or the model is not in eval mode.
    """
    require_eval_mode(model)
    if ids.dim() != 2 or ids.shape[0] != 1 or ids.shape[1] == 0:
        raise ValueError(f"ids has the shape {tuple(ids.shape)}: give one row of tokens, (1, T).")
    if ids.shape[1] > model.config.context_length:
        raise ValueError(
            f"{ids.shape[1]:,} tokens are more than context_length={model.config.context_length}: "
            "give the model only the last ones, ids[:, -context_length:]."
        )
    return ids[0]


def require_eval_mode(model: GPTModel) -> None:
    """Refuse a model whose dropout is on.

    Raises:
        ValueError: so.
    """
    if model.training:
        raise ValueError("The model is in training mode, with dropout on: call model.eval() first.")


def chosen_layers(config: GPTConfig, layers: Collection[int] | None) -> list[int]:
    """Return the layers asked for, in order, counted from 0; None means all.

    Raises:
        ValueError: the model has no such layer.
    """
    chosen = sorted(set(range(config.n_layers) if layers is None else layers))
    if not chosen or not 0 <= chosen[0] <= chosen[-1] < config.n_layers:
        raise ValueError(f"layers={chosen} are not all of the model's: 0 to {config.n_layers - 1}.")
    return chosen


def check_memory(what: str, numbers: int) -> None:
    """Refuse a result of so many float32 numbers if they need more than the memory budget.

    Raises:
        ValueError: they need more.
    """
    if 4 * numbers > MEMORY_BUDGET:
        raise ValueError(
            f"The {what} would take {4 * numbers / 2**30:.1f} GB of memory, more than the "
            f"{MEMORY_BUDGET / 2**30:g} GB kept for it: give fewer tokens or fewer layers."
        )


def next_targets(model: GPTModel, row: Tensor, targets: Tensor | None, last: Tensor) -> Tensor:
    """Return each position's target (T,): the next token, and at the last the model's own choice.

    Args:
        model: whose vocabulary the targets are of.
        row: the tokens, (T,).
        targets: targets of one's own, (T,); None for the above.
        last: the last position's logits, (vocab_size,).

    Raises:
        ValueError: the targets have another length, or are not in the vocabulary.
    """
    if targets is None:
        return torch.cat((row[1:], last.argmax().view(1)))
    if targets.shape != row.shape:
        raise ValueError(f"{len(targets)} targets do not fit {len(row)} tokens: give one for each.")
    if not 0 <= int(targets.min()) <= int(targets.max()) < model.config.vocab_size:
        raise ValueError(f"A target is no token: IDs go from 0 to {model.config.vocab_size - 1}.")
    return targets


def target_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the loss at each position (T,), in nats, of logits (T, vocab_size)."""
    return F.cross_entropy(logits, targets, reduction="none")

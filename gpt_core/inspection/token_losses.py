"""The loss of each single token of a text."""

import torch
from torch import Tensor

from gpt_core.inspection.trace import require_eval_mode, target_losses
from gpt_core.model import GPTModel

BATCH_TOKENS = 1024  # tokens whose logits are in memory at once: 200 MB with GPT-2's vocabulary


@torch.no_grad()
def token_losses(model: GPTModel, ids: Tensor) -> Tensor:
    """Return the loss at each position of a whole text of T tokens, (T − 1,), in nats.

    The text is read in windows of the model's context_length, one after the other, so that each
    token but the first is predicted once. The last window begins early enough to be whole. The
    mean over a text of whole windows is the chapter's loss of the text.

    Args:
        model: in eval mode.
        ids: the text, (T,), T at least 2.

    Raises:
        ValueError: the text has fewer than two tokens, or the model is not in eval mode.
    """
    require_eval_mode(model)
    if ids.dim() != 1 or len(ids) < 2:
        raise ValueError(f"ids has the shape {tuple(ids.shape)}: give at least two tokens, (T,).")
    ids = ids.long()
    num_targets = len(ids) - 1
    length = min(model.config.context_length, num_targets)
    losses = torch.empty(num_targets)
    starts = list(range(0, num_targets - length + 1, length))
    rows = max(1, BATCH_TOKENS // length)
    for i in range(0, len(starts), rows):
        group = starts[i : i + rows]
        inputs = torch.stack([ids[s : s + length] for s in group])  # (B, length)
        targets = ids[group[0] + 1 : group[-1] + length + 1]  # (B * length,)
        logits = model(inputs).flatten(0, 1)  # (B * length, vocab_size)
        losses[group[0] : group[-1] + length] = target_losses(logits, targets)
    if rest := num_targets % length:
        logits = model(ids[-length - 1 : -1].unsqueeze(0))[0, -rest:]  # (rest, vocab_size)
        losses[-rest:] = target_losses(logits, ids[-rest:])
    return losses

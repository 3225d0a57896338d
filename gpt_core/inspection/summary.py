"""The parts of a GPT with a given configuration: their shapes and sizes."""

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor, nn

from gpt_core.config import GPTConfig
from gpt_core.model import (
    BYTES_PER_PARAMETER,
    TRAINED_BYTES_PER_PARAMETER,
    count_config_parameters,
    count_parameters,
    outline,
)


@dataclass(frozen=True)
class Part:
    """One part of the model, with the shape of its output."""

    name: str  # as in the code: "tok_emb", "trf_blocks.0.att.W_query"
    parameters: int  # of this part; each part of a block occurs n_layers times
    output_shape: tuple[int, ...]  # for B rows of T tokens


@dataclass(frozen=True)
class ModelSummary:
    """A model's parts in the order in which a batch passes through them, and their memory."""

    parts: tuple[Part, ...]  # of the blocks, only the first
    parameters: int
    tied_parameters: int  # if the output head were the token embedding, as in OpenAI's GPT-2
    weights_bytes: int  # the gradients need as much again
    optimizer_bytes: int  # AdamW's two moments
    checkpoint_bytes: int  # of a whole checkpoint: weights and moments

    @property
    def training_bytes(self) -> int:
        """Return the minimum memory of training: weights, gradients, moments; no activations."""
        return 2 * self.weights_bytes + self.optimizer_bytes

    def part(self, name: str) -> Part:
        """Return the part with this name."""
        return next(part for part in self.parts if part.name == name)


@torch.no_grad()
@lru_cache(maxsize=64)  # otherwise each viewer of a form builds an outline
def summarize(config: GPTConfig, batch_size: int, num_tokens: int) -> ModelSummary:
    """Send B rows of T tokens through a model with shapes only, and list its parts.

    Nothing is allocated, drawn or computed, so the model may have any size.

    Raises:
        ValueError: num_tokens is more than the model's context_length.
    """
    model = outline(replace(config, n_layers=1)).eval()  # all blocks are alike
    ids = torch.zeros((batch_size, num_tokens), dtype=torch.long, device="meta")  # (B, T)
    parts: list[Part] = []
    for name, module in model.named_modules():
        if name:

            def note(module: nn.Module, _: object, output: Tensor, name: str = name) -> None:
                parts.append(Part(name, count_parameters(module), tuple(output.shape)))

            module.register_forward_hook(note)
    model(ids)  # (B, T, vocab_size)

    parameters = count_config_parameters(config)
    head = count_parameters(model.out_head)
    weights = BYTES_PER_PARAMETER * parameters
    checkpoint = TRAINED_BYTES_PER_PARAMETER * parameters
    moments = checkpoint - weights
    return ModelSummary(tuple(parts), parameters, parameters - head, weights, moments, checkpoint)

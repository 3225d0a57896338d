"""What a GPT of a given configuration consists of: its parts, their shapes, their sizes."""

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
    """One part of the model, as the tensors come through it."""

    name: str  # as in the code: "tok_emb", "trf_blocks.0.att.W_query"
    parameters: int  # of this one; there are n_layers of each part of a block
    output_shape: tuple[int, ...]  # of what leaves it, for B rows of T tokens


@dataclass(frozen=True)
class ModelSummary:
    """A model's parts in the order in which a batch passes them, and what it all weighs."""

    parts: tuple[Part, ...]  # of the blocks the first stands for all
    parameters: int
    tied_parameters: int  # were the output head the token embedding, as in OpenAI's GPT-2
    weights_bytes: int  # and as much again for the gradients
    optimizer_bytes: int  # AdamW's two moments
    checkpoint_bytes: int  # a whole one: weights and moments

    @property
    def training_bytes(self) -> int:
        """Return what training holds at least: weights, gradients, moments; activations aside."""
        return 2 * self.weights_bytes + self.optimizer_bytes

    def part(self, name: str) -> Part:
        """Return the part of a name."""
        return next(part for part in self.parts if part.name == name)


@torch.no_grad()
@lru_cache(maxsize=64)  # it builds a model's outline: for each viewer of a form otherwise
def summarize(config: GPTConfig, batch_size: int, num_tokens: int) -> ModelSummary:
    """Send B rows of T tokens through a model that has shapes only, and note what leaves each part.

    Nothing is allocated, drawn or computed: any size can be looked at.

    Raises:
        ValueError: num_tokens is more than the model's context_length.
    """
    model = outline(replace(config, n_layers=1)).eval()  # the first block stands for all
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

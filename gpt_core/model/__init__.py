"""The GPT in one file, its kernels, its loss, its precision, and how it writes."""

from gpt_core.model.generation import (
    GREEDY,
    Choice,
    Decoding,
    generate,
    look_at_choice,
    next_token_probas,
    stream_tokens,
)
from gpt_core.model.gpt import (
    FeedForward,
    GPTModel,
    LayerNorm,
    MultiHeadAttention,
    TransformerBlock,
    build_model,
    outline,
)
from gpt_core.model.kernels import turn_weights
from gpt_core.model.loss import (
    LossWalkthrough,
    binary_cross_entropy,
    calc_loss_batch,
    calc_loss_loader,
    categorical_cross_entropy,
    loss_in_one_call,
    loss_walkthrough,
    perplexity,
    target_ranks,
)
from gpt_core.model.precision import autocast, check_device, resolve_auto
from gpt_core.model.size import (
    BYTES_PER_PARAMETER,
    WHOLE_BYTES_PER_PARAMETER,
    count_parameters,
    parameters_of,
)

__all__ = [
    "BYTES_PER_PARAMETER",
    "GREEDY",
    "WHOLE_BYTES_PER_PARAMETER",
    "Choice",
    "Decoding",
    "FeedForward",
    "GPTModel",
    "LayerNorm",
    "LossWalkthrough",
    "MultiHeadAttention",
    "TransformerBlock",
    "autocast",
    "binary_cross_entropy",
    "build_model",
    "calc_loss_batch",
    "calc_loss_loader",
    "categorical_cross_entropy",
    "check_device",
    "count_parameters",
    "generate",
    "look_at_choice",
    "loss_in_one_call",
    "loss_walkthrough",
    "next_token_probas",
    "outline",
    "parameters_of",
    "perplexity",
    "resolve_auto",
    "stream_tokens",
    "target_ranks",
    "turn_weights",
]

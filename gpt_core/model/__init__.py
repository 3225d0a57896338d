"""The GPT in one file, its kernels, loss, precision and text generation."""

from gpt_core.model.generation import (
    GREEDY,
    Choice,
    Decoding,
    describe_choice,
    generate,
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
from gpt_core.model.kernels import causal_attention, transpose_weights
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
from gpt_core.model.precision import (
    autocast,
    check_device,
    measure_memory,
    measure_products,
    require_device,
    resolve_auto,
)
from gpt_core.model.size import (
    BYTES_PER_PARAMETER,
    TRAINED_BYTES_PER_PARAMETER,
    count_config_parameters,
    count_parameters,
)

__all__ = [
    "BYTES_PER_PARAMETER",
    "GREEDY",
    "TRAINED_BYTES_PER_PARAMETER",
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
    "causal_attention",
    "check_device",
    "count_config_parameters",
    "count_parameters",
    "describe_choice",
    "generate",
    "loss_in_one_call",
    "loss_walkthrough",
    "measure_memory",
    "measure_products",
    "next_token_probas",
    "outline",
    "perplexity",
    "require_device",
    "resolve_auto",
    "stream_tokens",
    "target_ranks",
    "transpose_weights",
]

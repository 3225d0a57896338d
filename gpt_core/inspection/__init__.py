"""A GPT from inside: its parts and their sizes, what they do with a text, how they learn."""

from gpt_core.inspection.ablation import Ablation, ablate
from gpt_core.inspection.attention import attention_weights, block_weights
from gpt_core.inspection.embeddings import (
    embedding_map,
    embedding_neighbours,
    position_similarity,
)
from gpt_core.inspection.heads import HeadScores, head_scores
from gpt_core.inspection.lens import LensSummary, lens_summary, logit_lens
from gpt_core.inspection.statistics import (
    Histogram,
    PartStatistics,
    TensorStatistics,
    tensor_statistics,
)
from gpt_core.inspection.stream import ResidualStream, residual_stream
from gpt_core.inspection.summary import ModelSummary, Part, summarize
from gpt_core.inspection.token_losses import token_losses
from gpt_core.inspection.trace import BlockTrace, Trace, trace
from gpt_core.inspection.update import UpdateInspector

__all__ = [
    "Ablation",
    "BlockTrace",
    "HeadScores",
    "Histogram",
    "LensSummary",
    "ModelSummary",
    "Part",
    "PartStatistics",
    "ResidualStream",
    "TensorStatistics",
    "Trace",
    "UpdateInspector",
    "ablate",
    "attention_weights",
    "block_weights",
    "embedding_map",
    "embedding_neighbours",
    "head_scores",
    "lens_summary",
    "logit_lens",
    "position_similarity",
    "residual_stream",
    "summarize",
    "tensor_statistics",
    "token_losses",
    "trace",
]

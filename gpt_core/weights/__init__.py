"""Weights on disk: checkpoints, one module per foreign format, and the hub."""

from gpt_core.weights.assembly import LoadedModel
from gpt_core.weights.book_format import read_book
from gpt_core.weights.checkpoints import (
    load_checkpoint,
    load_weights,
    max_checkpoint_bytes,
    remove,
    remove_orphans,
    save_checkpoint,
    save_weights,
)
from gpt_core.weights.file_names import (
    CONFIG_FILE,
    STATE_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    WEIGHTS_SUFFIXES,
)
from gpt_core.weights.gpt2_format import export_gpt2, read_gpt2, why_not_gpt2
from gpt_core.weights.hub import GPT2_REPOSITORIES, download_gpt2, how_to_get, repository
from gpt_core.weights.initial_weights import (
    FREE,
    INITIAL_STEP,
    InitialWeights,
    save_initial_weights,
    weights_sha256,
)
from gpt_core.weights.loading import load_book_checkpoint, load_gpt2, load_model, read_model
from gpt_core.weights.own_format import load_own_format

__all__ = [
    "CONFIG_FILE",
    "FREE",
    "GPT2_REPOSITORIES",
    "INITIAL_STEP",
    "STATE_FILE",
    "TOKENIZER_FILE",
    "WEIGHTS_FILE",
    "WEIGHTS_SUFFIXES",
    "InitialWeights",
    "LoadedModel",
    "download_gpt2",
    "export_gpt2",
    "how_to_get",
    "load_book_checkpoint",
    "load_checkpoint",
    "load_gpt2",
    "load_model",
    "load_own_format",
    "load_weights",
    "max_checkpoint_bytes",
    "read_book",
    "read_gpt2",
    "read_model",
    "remove",
    "remove_orphans",
    "repository",
    "save_checkpoint",
    "save_initial_weights",
    "save_weights",
    "weights_sha256",
    "why_not_gpt2",
]

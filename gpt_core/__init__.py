"""The training core of GPT Pretraining Lab: the chapter's GPT, importable in a notebook.

    from gpt_core import PRESETS, GPTModel, get_tokenizer, load_text, prepare_data, train

These are the names for a notebook beside the book. Everything else is in the packages below, which
docs/ARCHITECTURE.md lists. A name's package is imported when the name is first used, so a process
that only reads a document does not load torch.
"""

from importlib import import_module
from typing import Any

_OFFERED = {
    "config": (
        "GPTConfig",
        "TrainingConfig",
    ),
    "presets": (
        "GPT_CONFIG_124M",
        "GPT2_CONFIGS",
        "PRESETS",
        "Preset",
    ),
    "records": (
        "EvaluationRecord",
        "InsideRecord",
        "ProbeRecord",
        "Record",
        "SampleRecord",
        "StepRecord",
        "UpdateRecord",
    ),
    "store": (
        "RunStore",
        "default_runs_dir",
    ),
    "vocabularies": (
        "get_tokenizer",
        "read_vocabulary",
        "text_to_token_ids",
        "token_ids_to_text",
        "vocabulary_sha256",
    ),
    "text": (
        "BUNDLED_TEXTS",
        "DEFAULT_TEXT",
        "VERDICT",
        "Corpus",
        "create_dataloader",
        "download_the_verdict",
        "has_the_verdict",
        "load_text",
        "read_text_file",
        "split_text",
    ),
    "model": (
        "Decoding",
        "GPTModel",
        "build_model",
        "calc_loss_batch",
        "calc_loss_loader",
        "count_parameters",
        "generate",
        "loss_walkthrough",
        "next_token_probas",
        "perplexity",
        "stream_tokens",
    ),
    "training": (
        "create_optimizer",
        "evaluate_model",
        "fit_vocabulary",
        "prepare_data",
        "train",
        "with_text_probe",
    ),
    "weights": (
        "export_gpt2",
        "load_book_checkpoint",
        "load_gpt2",
        "load_model",
        "load_weights",
        "weights_sha256",
    ),
    "export": (
        "export_runs",
        "import_recording",
        "write_recording",
    ),
    "runner": ("TrainingRunner",),
}
_HOME = {name: home for home, names in _OFFERED.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"gpt_core has no name {name!r}: import it from its package.")
    return getattr(import_module(f"gpt_core.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__

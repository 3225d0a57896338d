"""The training core of GPT Pretraining Lab: the chapter's GPT, importable in a notebook.

    from gpt_core import PRESETS, GPTModel, get_tokenizer, load_text, prepare_data, train

Nothing here knows of the dashboard; see ``docs/LOG.md`` for decisions and the README for a map.
"""

from gpt_core.anatomy import Anatomy, Part, dissect
from gpt_core.byte_pairs import Merge, byte_ids, byte_pair_merges, split_words
from gpt_core.checkpoints import disk_space
from gpt_core.config import (
    GPT2_CONFIGS,
    GPT_CONFIG_124M,
    PRESETS,
    GPTConfig,
    Preset,
    TrainingConfig,
    field_help,
)
from gpt_core.corpus import (
    BUNDLED_TEXTS,
    DEFAULT_TEXT,
    VERDICT,
    VERDICT_TITLE,
    Corpus,
    download_the_verdict,
    gutenberg_body,
    has_the_verdict,
    join_texts,
    keep_the_verdict,
    load_text,
    read_text_file,
    read_upload,
    readable_name,
    split_text,
)
from gpt_core.dataset import (
    IGNORE_INDEX,
    TokenWindows,
    check_splits,
    create_dataloader,
    fitting_context_length,
    rows_to_batch,
)
from gpt_core.generation import generate, stream_tokens
from gpt_core.library import KeptText, TextLibrary
from gpt_core.loss import (
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
from gpt_core.model import GPTModel, build_model, count_parameters
from gpt_core.precision import resolve_auto
from gpt_core.preflight import Pace, measure_pace
from gpt_core.progress import PACE_STEPS, Progress, run_progress
from gpt_core.records import EvaluationRecord, ProbeRecord, Record, SampleRecord, StepRecord
from gpt_core.run import Run
from gpt_core.runner import TrainingRunner
from gpt_core.runs_dir import default_runs_dir
from gpt_core.session import Snapshot
from gpt_core.shelf import ModelShelf, Writing
from gpt_core.store import RunStore
from gpt_core.survey import ENGLISH_TOKENS_PER_CHARACTER, Layout, Survey, lay_out, survey_tokens
from gpt_core.token_cache import TokenCache, token_cache_in
from gpt_core.tokenizer import (
    END_OF_TEXT,
    encode_corpus,
    get_tokenizer,
    text_to_token_ids,
    token_ids_to_text,
)
from gpt_core.toy import TOY_PROBAS, TOY_VOCABULARY, toy_argmax, toy_ids
from gpt_core.training import (
    PROBE_TOKENS,
    create_optimizer,
    encode_splits,
    evaluate_model,
    prepare_data,
    train,
    with_text_probe,
)

__all__ = [
    "BUNDLED_TEXTS",
    "DEFAULT_TEXT",
    "END_OF_TEXT",
    "ENGLISH_TOKENS_PER_CHARACTER",
    "GPT2_CONFIGS",
    "GPT_CONFIG_124M",
    "IGNORE_INDEX",
    "PACE_STEPS",
    "PRESETS",
    "PROBE_TOKENS",
    "TOY_PROBAS",
    "TOY_VOCABULARY",
    "VERDICT",
    "VERDICT_TITLE",
    "Anatomy",
    "Corpus",
    "EvaluationRecord",
    "GPTConfig",
    "GPTModel",
    "KeptText",
    "Layout",
    "LossWalkthrough",
    "Merge",
    "ModelShelf",
    "Pace",
    "Part",
    "Preset",
    "ProbeRecord",
    "Progress",
    "Record",
    "Run",
    "RunStore",
    "SampleRecord",
    "Snapshot",
    "StepRecord",
    "Survey",
    "TextLibrary",
    "TokenCache",
    "TokenWindows",
    "TrainingConfig",
    "TrainingRunner",
    "Writing",
    "binary_cross_entropy",
    "build_model",
    "byte_ids",
    "byte_pair_merges",
    "calc_loss_batch",
    "calc_loss_loader",
    "categorical_cross_entropy",
    "check_splits",
    "count_parameters",
    "create_dataloader",
    "create_optimizer",
    "default_runs_dir",
    "disk_space",
    "dissect",
    "download_the_verdict",
    "encode_corpus",
    "encode_splits",
    "evaluate_model",
    "field_help",
    "fitting_context_length",
    "generate",
    "get_tokenizer",
    "gutenberg_body",
    "has_the_verdict",
    "join_texts",
    "keep_the_verdict",
    "lay_out",
    "load_text",
    "loss_in_one_call",
    "loss_walkthrough",
    "measure_pace",
    "perplexity",
    "prepare_data",
    "read_text_file",
    "read_upload",
    "readable_name",
    "resolve_auto",
    "rows_to_batch",
    "run_progress",
    "split_text",
    "split_words",
    "stream_tokens",
    "survey_tokens",
    "target_ranks",
    "text_to_token_ids",
    "token_cache_in",
    "token_ids_to_text",
    "toy_argmax",
    "toy_ids",
    "train",
    "with_text_probe",
]

"""The training core of GPT Pretraining Lab: the chapter's GPT, importable in a notebook.

    from gpt_core import PRESETS, GPTModel, get_tokenizer, load_text, prepare_data, train

Nothing here knows of the dashboard; see ``docs/LOG.md`` for decisions and the README for a map.
"""

from gpt_core.anatomy import Anatomy, Part, dissect
from gpt_core.board import Board
from gpt_core.catalogue import MOST_IN_NAME, MOST_IN_NOTE, delete_run, label_run, share_run
from gpt_core.checkpoints import disk_space, load_weights
from gpt_core.comparing import differing_settings
from gpt_core.config import GPTConfig, TrainingConfig, field_groups, field_help
from gpt_core.corpus import (
    BUNDLED_TEXTS,
    DEFAULT_TEXT,
    VERDICT,
    VERDICT_TITLE,
    Corpus,
    bundled_text,
    download_the_verdict,
    gutenberg_body,
    has_the_verdict,
    join_texts,
    keep_the_verdict,
    load_text,
    max_upload_bytes,
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
from gpt_core.exports import EXPORTS, Export, export_runs, read_settings
from gpt_core.generation import Choice, Decoding, generate, next_token_probas, stream_tokens
from gpt_core.history import RunHistory
from gpt_core.hub import CONFIG_FILE, WEIGHTS_FILE, how_to_get
from gpt_core.initial import INITIAL_STEP, InitialWeights, weights_sha256
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
from gpt_core.memorisation import COPIED_AT_LEAST, Copying, find_copying, measure_copying
from gpt_core.model import GPTModel, build_model, count_parameters
from gpt_core.model_library import UPLOADED, Download, KeptModel, ModelLibrary
from gpt_core.precision import resolve_auto
from gpt_core.preflight import Pace, measure_pace
from gpt_core.presets import GPT2_CONFIGS, GPT_CONFIG_124M, PRESETS, Preset
from gpt_core.pretrained import (
    export_gpt2,
    load_book_checkpoint,
    load_gpt2,
    load_model,
)
from gpt_core.progress import PACE_STEPS, Progress, run_progress
from gpt_core.published import BOOK_RUN, LECTURE_RUN, NOTEBOOK_RUN, PublishedRun
from gpt_core.quotas import (
    CONTROLS,
    FIRST_LESSON,
    TEXTS,
    WEIGHTS,
    ClassRules,
    bytes_used,
    read_rules,
)
from gpt_core.reading import CurveReading, describe_curve, describe_start, read_curve
from gpt_core.recording import RECORDED_RUN, keep_recorded_run, keep_recording, write_recording
from gpt_core.records import (
    EvaluationRecord,
    ProbeRecord,
    Record,
    SampleRecord,
    StepRecord,
    UpdateRecord,
)
from gpt_core.rights import NotAllowed
from gpt_core.roll import LONGEST_NAME, ClassRoll, Member
from gpt_core.runner import TrainingRunner
from gpt_core.schedule import learning_rate_at, steps_in_run
from gpt_core.session import Snapshot
from gpt_core.shelf import ModelShelf, Writing
from gpt_core.store import Run, RunStore, RunSummary, default_runs_dir
from gpt_core.survey import ENGLISH_TOKENS_PER_CHARACTER, Layout, Survey, lay_out, survey_tokens
from gpt_core.system import brief
from gpt_core.token_cache import TokenCache, token_cache_in
from gpt_core.training import (
    PROBE_TOKENS,
    create_optimizer,
    encode_splits,
    evaluate_model,
    prepare_data,
    train,
    with_text_probe,
)
from gpt_core.verdict import Verdict, is_comparable, judge
from gpt_core.view import View
from gpt_core.vocabularies import (
    DECODING_LOGITS,
    DECODING_VOCABULARY,
    END_OF_TEXT,
    TOY_PROBAS,
    TOY_VOCABULARY,
    Merge,
    byte_ids,
    byte_pair_merges,
    encode_corpus,
    get_tokenizer,
    split_words,
    text_to_token_ids,
    token_ids_to_text,
    toy_argmax,
    toy_ids,
)
from gpt_core.waiting import QueuePlace, expected_queue
from gpt_core.weights import WEIGHT_FORMS, WeightsForm, delete_checkpoint, weights_zip

__all__ = [
    "BOOK_RUN",
    "BUNDLED_TEXTS",
    "CONFIG_FILE",
    "CONTROLS",
    "COPIED_AT_LEAST",
    "DECODING_LOGITS",
    "DECODING_VOCABULARY",
    "DEFAULT_TEXT",
    "END_OF_TEXT",
    "ENGLISH_TOKENS_PER_CHARACTER",
    "EXPORTS",
    "FIRST_LESSON",
    "GPT2_CONFIGS",
    "GPT_CONFIG_124M",
    "IGNORE_INDEX",
    "INITIAL_STEP",
    "LECTURE_RUN",
    "LONGEST_NAME",
    "MOST_IN_NAME",
    "MOST_IN_NOTE",
    "NOTEBOOK_RUN",
    "PACE_STEPS",
    "PRESETS",
    "PROBE_TOKENS",
    "RECORDED_RUN",
    "TEXTS",
    "TOY_PROBAS",
    "TOY_VOCABULARY",
    "UPLOADED",
    "VERDICT",
    "VERDICT_TITLE",
    "WEIGHTS",
    "WEIGHTS_FILE",
    "WEIGHT_FORMS",
    "Anatomy",
    "Board",
    "Choice",
    "ClassRoll",
    "ClassRules",
    "Copying",
    "Corpus",
    "CurveReading",
    "Decoding",
    "Download",
    "EvaluationRecord",
    "Export",
    "GPTConfig",
    "GPTModel",
    "InitialWeights",
    "KeptModel",
    "KeptText",
    "Layout",
    "LossWalkthrough",
    "Member",
    "Merge",
    "ModelLibrary",
    "ModelShelf",
    "NotAllowed",
    "Pace",
    "Part",
    "Preset",
    "ProbeRecord",
    "Progress",
    "PublishedRun",
    "QueuePlace",
    "Record",
    "Run",
    "RunHistory",
    "RunStore",
    "RunSummary",
    "SampleRecord",
    "Snapshot",
    "StepRecord",
    "Survey",
    "TextLibrary",
    "TokenCache",
    "TokenWindows",
    "TrainingConfig",
    "TrainingRunner",
    "UpdateRecord",
    "Verdict",
    "View",
    "WeightsForm",
    "Writing",
    "binary_cross_entropy",
    "brief",
    "build_model",
    "bundled_text",
    "byte_ids",
    "byte_pair_merges",
    "bytes_used",
    "calc_loss_batch",
    "calc_loss_loader",
    "categorical_cross_entropy",
    "check_splits",
    "count_parameters",
    "create_dataloader",
    "create_optimizer",
    "default_runs_dir",
    "delete_checkpoint",
    "delete_run",
    "describe_curve",
    "describe_start",
    "differing_settings",
    "disk_space",
    "dissect",
    "download_the_verdict",
    "encode_corpus",
    "encode_splits",
    "evaluate_model",
    "expected_queue",
    "export_gpt2",
    "export_runs",
    "field_groups",
    "field_help",
    "find_copying",
    "fitting_context_length",
    "generate",
    "get_tokenizer",
    "gutenberg_body",
    "has_the_verdict",
    "how_to_get",
    "is_comparable",
    "join_texts",
    "judge",
    "keep_recorded_run",
    "keep_recording",
    "keep_the_verdict",
    "label_run",
    "lay_out",
    "learning_rate_at",
    "load_book_checkpoint",
    "load_gpt2",
    "load_model",
    "load_text",
    "load_weights",
    "loss_in_one_call",
    "loss_walkthrough",
    "max_upload_bytes",
    "measure_copying",
    "measure_pace",
    "next_token_probas",
    "perplexity",
    "prepare_data",
    "read_curve",
    "read_rules",
    "read_settings",
    "read_text_file",
    "read_upload",
    "readable_name",
    "resolve_auto",
    "rows_to_batch",
    "run_progress",
    "share_run",
    "split_text",
    "split_words",
    "steps_in_run",
    "stream_tokens",
    "survey_tokens",
    "target_ranks",
    "text_to_token_ids",
    "token_cache_in",
    "token_ids_to_text",
    "toy_argmax",
    "toy_ids",
    "train",
    "weights_sha256",
    "weights_zip",
    "with_text_probe",
    "write_recording",
]

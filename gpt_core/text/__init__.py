"""A corpus → token IDs → batches."""

from gpt_core.text.bundled_texts import (
    BUNDLED_TEXTS,
    DEFAULT_TEXT,
    bundled_text,
    load_text,
    public_texts,
)
from gpt_core.text.corpus import LONGEST_NAME, Corpus, join_texts, readable_name, split_text
from gpt_core.text.dataset import (
    IGNORE_INDEX,
    Batch,
    TokenWindows,
    check_splits,
    create_dataloader,
    fitting_context_length,
    rows_to_batch,
)
from gpt_core.text.statistics import (
    ENGLISH_TOKENS_PER_CHARACTER,
    Layout,
    Survey,
    lay_out,
    survey_tokens,
)
from gpt_core.text.the_verdict import (
    VERDICT,
    VERDICT_SHA256,
    VERDICT_TITLE,
    download_the_verdict,
    has_the_verdict,
    keep_the_verdict,
)
from gpt_core.text.token_cache import TokenCache, token_cache_in
from gpt_core.text.uploads import gutenberg_body, max_upload_bytes, read_text_file, read_upload

__all__ = [
    "BUNDLED_TEXTS",
    "DEFAULT_TEXT",
    "ENGLISH_TOKENS_PER_CHARACTER",
    "IGNORE_INDEX",
    "LONGEST_NAME",
    "VERDICT",
    "VERDICT_SHA256",
    "VERDICT_TITLE",
    "Batch",
    "Corpus",
    "Layout",
    "Survey",
    "TokenCache",
    "TokenWindows",
    "bundled_text",
    "check_splits",
    "create_dataloader",
    "download_the_verdict",
    "fitting_context_length",
    "gutenberg_body",
    "has_the_verdict",
    "join_texts",
    "keep_the_verdict",
    "lay_out",
    "load_text",
    "max_upload_bytes",
    "public_texts",
    "read_text_file",
    "read_upload",
    "readable_name",
    "rows_to_batch",
    "split_text",
    "survey_tokens",
    "token_cache_in",
]

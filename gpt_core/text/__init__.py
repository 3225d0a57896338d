"""A corpus → token IDs → batches."""

from gpt_core.documents import gutenberg_body
from gpt_core.text.bundled_texts import (
    BUNDLED_TEXTS,
    DEFAULT_TEXT,
    DESCRIPTIONS,
    GENERATED_TEXTS,
    STORIES,
    bundled_text,
    load_text,
    public_texts,
)
from gpt_core.text.corpus import (
    MAX_TEXT_NAME,
    Corpus,
    Text,
    join_texts,
    readable_name,
    split_index,
    split_text,
    text_sha256,
)
from gpt_core.text.dataset import (
    IGNORE_INDEX,
    Batch,
    TokenWindows,
    check_splits,
    create_dataloader,
    fitting_context_length,
    rows_to_batch,
)
from gpt_core.text.grammar import has_stories, stories_bits, story_entropy, write_stories
from gpt_core.text.impressions import count_odd_characters, passages, words_beyond_ascii
from gpt_core.text.prompts import CHAPTER_PROMPT, prompt_of
from gpt_core.text.statistics import (
    ENGLISH_TOKENS_PER_CHARACTER,
    BatchCounts,
    TokenStatistics,
    count_batches,
    count_tokens,
)
from gpt_core.text.tasks import TASKS, has_problems, right_answer, write_problems
from gpt_core.text.text_file import TextFile, open_text, run_text
from gpt_core.text.the_verdict import (
    VERDICT,
    VERDICT_SHA256,
    VERDICT_TITLE,
    download_the_verdict,
    has_the_verdict,
    save_the_verdict,
)
from gpt_core.text.token_cache import TokenCache, token_cache_in
from gpt_core.text.uploads import (
    max_upload_bytes,
    read_text_file,
    read_upload,
    read_upload_document,
    upload_corpus,
    upload_reader,
)

__all__ = [
    "BUNDLED_TEXTS",
    "CHAPTER_PROMPT",
    "DEFAULT_TEXT",
    "DESCRIPTIONS",
    "ENGLISH_TOKENS_PER_CHARACTER",
    "GENERATED_TEXTS",
    "IGNORE_INDEX",
    "MAX_TEXT_NAME",
    "STORIES",
    "TASKS",
    "VERDICT",
    "VERDICT_SHA256",
    "VERDICT_TITLE",
    "Batch",
    "BatchCounts",
    "Corpus",
    "Text",
    "TextFile",
    "TokenCache",
    "TokenStatistics",
    "TokenWindows",
    "bundled_text",
    "check_splits",
    "count_batches",
    "count_odd_characters",
    "count_tokens",
    "create_dataloader",
    "download_the_verdict",
    "fitting_context_length",
    "gutenberg_body",
    "has_problems",
    "has_stories",
    "has_the_verdict",
    "join_texts",
    "load_text",
    "max_upload_bytes",
    "open_text",
    "passages",
    "prompt_of",
    "public_texts",
    "read_text_file",
    "read_upload",
    "read_upload_document",
    "readable_name",
    "right_answer",
    "rows_to_batch",
    "run_text",
    "save_the_verdict",
    "split_index",
    "split_text",
    "stories_bits",
    "story_entropy",
    "text_sha256",
    "token_cache_in",
    "upload_corpus",
    "upload_reader",
    "words_beyond_ascii",
    "write_problems",
    "write_stories",
]

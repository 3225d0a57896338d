"""Text → token IDs, and back."""

from gpt_core.vocabularies.byte_pairs import Merge, byte_ids, byte_pair_merges, split_words
from gpt_core.vocabularies.hugging_face import tokenizer_files
from gpt_core.vocabularies.tokenizer import (
    END_OF_TEXT,
    encode_corpus,
    get_tokenizer,
    text_to_token_ids,
    token_ids_to_text,
)
from gpt_core.vocabularies.toy import (
    DECODING_LOGITS,
    DECODING_VOCABULARY,
    TOY_PROBAS,
    TOY_VOCABULARY,
    toy_argmax,
    toy_ids,
)

__all__ = [
    "DECODING_LOGITS",
    "DECODING_VOCABULARY",
    "END_OF_TEXT",
    "TOY_PROBAS",
    "TOY_VOCABULARY",
    "Merge",
    "byte_ids",
    "byte_pair_merges",
    "encode_corpus",
    "get_tokenizer",
    "split_words",
    "text_to_token_ids",
    "token_ids_to_text",
    "tokenizer_files",
    "toy_argmax",
    "toy_ids",
]

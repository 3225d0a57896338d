"""Text → token IDs, and back."""

from gpt_core.vocabularies.byte_level import (
    SAMPLE_BYTES,
    SAMPLE_PARTS,
    count_merges,
    learn_merges,
    merges_tokenizer,
)
from gpt_core.vocabularies.byte_pairs import (
    SINGLE_BYTES,
    Merge,
    byte_ids,
    byte_pair_merges,
    split_words,
)
from gpt_core.vocabularies.characters import UNKNOWN, CharacterTokenizer, describe_unknown
from gpt_core.vocabularies.hugging_face import tokenizer_files
from gpt_core.vocabularies.learning import count_pairs, learn_byte_pairs, merge_pair
from gpt_core.vocabularies.tokenizer import (
    END_OF_TEXT,
    Tokenizer,
    decode_parts,
    encode_corpus,
    encode_pieces,
    get_tokenizer,
    text_pieces,
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
from gpt_core.vocabularies.vocabulary import (
    GPT2_VOCABULARY,
    MAX_VOCABULARY_BYTES,
    describe_sample,
    learn_vocabulary,
    read_tokenizer_json,
    read_vocabulary,
    run_tokenizer,
    tokenizer_digest,
    vocabulary_sha256,
)

__all__ = [
    "DECODING_LOGITS",
    "DECODING_VOCABULARY",
    "END_OF_TEXT",
    "GPT2_VOCABULARY",
    "MAX_VOCABULARY_BYTES",
    "SAMPLE_BYTES",
    "SAMPLE_PARTS",
    "SINGLE_BYTES",
    "TOY_PROBAS",
    "TOY_VOCABULARY",
    "UNKNOWN",
    "CharacterTokenizer",
    "Merge",
    "Tokenizer",
    "byte_ids",
    "byte_pair_merges",
    "count_merges",
    "count_pairs",
    "decode_parts",
    "describe_sample",
    "describe_unknown",
    "encode_corpus",
    "encode_pieces",
    "get_tokenizer",
    "learn_byte_pairs",
    "learn_merges",
    "learn_vocabulary",
    "merge_pair",
    "merges_tokenizer",
    "read_tokenizer_json",
    "read_vocabulary",
    "run_tokenizer",
    "split_words",
    "text_pieces",
    "text_to_token_ids",
    "token_ids_to_text",
    "tokenizer_digest",
    "tokenizer_files",
    "toy_argmax",
    "toy_ids",
    "vocabulary_sha256",
]

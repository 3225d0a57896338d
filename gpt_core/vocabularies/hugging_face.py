"""GPT-2's tokenizer as the files that Hugging Face's transformers reads.

Source: Sennrich, Haddow, Birch (2016), "Neural Machine Translation of Rare Words with Subword
Units", for the merges; GPT-2's code, ``encoder.py``, for the characters that stand for bytes.
"""

import json
from functools import cache
from itertools import pairwise
from typing import Any

from gpt_core.vocabularies.tokenizer import END_OF_TEXT, get_tokenizer

END_OF_TEXT_ID = 50256


def tokenizer_files(context_length: int) -> dict[str, str]:
    """Return the contents of a tokenizer's files by their names, for a model's folder.

    With them ``AutoTokenizer`` gives the same token IDs as :func:`encode_corpus`, and a
    ``pipeline`` of transformers can write.

    Args:
        context_length: of the model; longer texts give a warning there.
    """
    ends = dict.fromkeys(("bos_token", "eos_token", "unk_token"), END_OF_TEXT)
    config = {
        "tokenizer_class": "GPT2Tokenizer",
        "model_max_length": context_length,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        **ends,
    }
    return {
        "tokenizer.json": _tokenizer_json(),
        "tokenizer_config.json": json.dumps(config, indent=2),
        "special_tokens_map.json": json.dumps(ends, indent=2),
    }


def derive_merges(ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """Return the merges that byte-pair encoding learnt, in their order, from its tokens' ranks.

    A token of several bytes came from merging two: those to which its bytes are encoded with the
    merges that were learnt before it.
    """
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        parts = [token[i : i + 1] for i in range(len(token))]
        while len(parts) > 2:
            pairs = [(ranks.get(a + b, rank), i) for i, (a, b) in enumerate(pairwise(parts))]
            lowest, i = min(pairs)
            assert lowest < rank, f"no merges lead to the token {token!r}"
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        if len(parts) == 2:
            merges.append((parts[0], parts[1]))
    return merges


@cache  # the same for all models, and takes a second
def _tokenizer_json() -> str:
    tokenizer = get_tokenizer()
    tokens = [tokenizer.decode_single_token_bytes(i) for i in range(END_OF_TEXT_ID)]
    merges = derive_merges({token: rank for rank, token in enumerate(tokens)})
    characters = str.maketrans(_byte_characters())

    def written(token: bytes) -> str:
        return token.decode("latin-1").translate(characters)

    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    by_bytes = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}
    facts: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": END_OF_TEXT_ID, "content": END_OF_TEXT, **special, "special": True}
        ],
        "normalizer": None,
        "pre_tokenizer": {**by_bytes, "add_prefix_space": False},
        "post_processor": {**by_bytes, "add_prefix_space": True, "trim_offsets": False},
        "decoder": {**by_bytes, "add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {written(token): i for i, token in enumerate(tokens)}
            | {END_OF_TEXT: END_OF_TEXT_ID},
            "merges": [f"{written(one)} {written(other)}" for one, other in merges],
        },
    }
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


def _byte_characters() -> dict[int, int]:
    """Return the code point that stands for each byte in GPT-2's files: a visible one."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {byte: byte for byte in visible} | {b: 256 + i for i, b in enumerate(hidden)}

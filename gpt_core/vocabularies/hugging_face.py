"""Tokenizers as the files that Hugging Face's transformers reads, and back.

Source: Sennrich, Haddow, Birch (2016), "Neural Machine Translation of Rare Words with Subword
Units", for the merges; GPT-2's code, ``encoder.py``, for the characters that stand for bytes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from gpt_core.vocabularies.characters import UNKNOWN
from gpt_core.vocabularies.tokenizer import END_OF_TEXT, get_tokenizer

END_OF_TEXT_ID = 50256  # GPT-2's
VISIBLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
# The bytes in the order of GPT-2's tokens 0 to 255: first those that are visible characters.
BYTE_ORDER = [*VISIBLE, *(byte for byte in range(256) if byte not in VISIBLE)]
# The character that stands for each byte in the files: itself, or a visible one from 256 on.
BYTE_CHARACTERS = {
    byte: chr(byte if byte in VISIBLE else 256 + i - len(VISIBLE))
    for i, byte in enumerate(BYTE_ORDER)
}
CHARACTER_BYTES = {character: byte for byte, character in BYTE_CHARACTERS.items()}
MAX_TOKENS = 300_000  # of a vocabulary from elsewhere …
MAX_WORK = 100_000_000  # … and its tokens' squared lengths, seconds of checking; GPT-2's: 3 million
ANY_CHARACTER = r"[\s\S]"  # a pattern: each character is a piece

Merges = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class BytePairs:
    """A byte-level vocabulary: the IDs of its tokens by their bytes, and of its special tokens.

    A token with a smaller ID was learnt earlier, and is merged first.
    """

    ranks: dict[bytes, int]
    special: dict[str, int]


def tokenizer_files(context_length: int, vocabulary: str = "") -> dict[str, str]:
    """Return the contents of a tokenizer's files by their names, for a model's folder.

    With them ``AutoTokenizer`` gives the same token IDs as :func:`encode_corpus`, and a
    ``pipeline`` of transformers can write.

    Args:
        context_length: of the model; longer texts give a warning there.
        vocabulary: the model's tokenizer.json; "" for GPT-2's.
    """
    ends = dict.fromkeys(("bos_token", "eos_token", "unk_token"), END_OF_TEXT)
    if '"type":"WordLevel"' in vocabulary:  # inside a token the quotes would be escaped
        ends["unk_token"] = UNKNOWN
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast" if vocabulary else "GPT2Tokenizer",
        "model_max_length": context_length,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        **ends,
    }
    return {
        "tokenizer.json": vocabulary or _gpt2_json(),
        "tokenizer_config.json": json.dumps(config, indent=2),
        "special_tokens_map.json": json.dumps(ends, indent=2),
    }


def derive_merges(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """Return the merges that byte-pair encoding learnt, in their order, from its tokens' ranks.

    A token of several bytes came from merging two: those to which its bytes are encoded with the
    merges that were learnt before it.

    Raises:
        ValueError: no merges lead to a token.
    """
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        parts = [token[i : i + 1] for i in range(len(token))]
        while len(parts) > 2:
            pairs = [(ranks.get(a + b, rank), i) for i, (a, b) in enumerate(pairwise(parts))]
            lowest, i = min(pairs)
            if lowest >= rank:
                raise ValueError(f"no merges lead to the token {token!r}")
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        if len(parts) == 2:
            merges.append((parts[0], parts[1]))
    return merges


def write_byte_pairs(pairs: BytePairs, merges: Merges) -> str:
    """Return a byte-level vocabulary as a tokenizer.json."""
    by_bytes = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": "",
        "end_of_word_suffix": "",
        "fuse_unk": False,
        "byte_fallback": False,
        "vocab": {written_token(token): i for token, i in pairs.ranks.items()} | pairs.special,
        "merges": [f"{written_token(one)} {written_token(other)}" for one, other in merges],
    }
    return _tokenizer_json(
        pairs.special,
        pre_tokenizer={**by_bytes, "add_prefix_space": False},
        post_processor={**by_bytes, "add_prefix_space": True, "trim_offsets": False},
        decoder={**by_bytes, "add_prefix_space": True},
        model=model,
    )


def write_characters(characters: Sequence[str]) -> str:
    """Return a vocabulary of characters as a tokenizer.json: each character is a word there."""
    special = {UNKNOWN: len(characters), END_OF_TEXT: len(characters) + 1}
    vocab = {character: i for i, character in enumerate(characters)} | special
    return _tokenizer_json(
        special,
        pre_tokenizer={
            "type": "Split",
            "pattern": {"Regex": ANY_CHARACTER},
            "behavior": "Isolated",
            "invert": False,
        },
        post_processor=None,
        decoder={"type": "Fuse"},
        model={"type": "WordLevel", "vocab": vocab, "unk_token": UNKNOWN},
    )


def read_characters(facts: dict[str, Any]) -> list[str]:
    """Return the characters of a tokenizer.json of :func:`write_characters`.

    Raises:
        ValueError: it is another kind of vocabulary; the message has no full stop.
    """
    vocab = facts["model"]["vocab"]
    special = {UNKNOWN: len(vocab) - 2, END_OF_TEXT: len(vocab) - 1}
    characters = [token for token in vocab if token not in special]
    expected = {character: i for i, character in enumerate(sorted(characters))} | special
    if vocab != expected or any(len(character) != 1 for character in characters):
        raise ValueError("it is a vocabulary of words, and only one of characters is supported")
    return characters


def read_byte_pairs(facts: dict[str, Any]) -> BytePairs:
    """Return the vocabulary in the object of a tokenizer.json that is byte-level BPE.

    Settings with which it would give other token IDs than here are refused.

    Raises:
        ValueError: it is another kind of tokenizer; the message has no full stop.
    """
    model, before = facts["model"], facts.get("pre_tokenizer") or {}
    splits_as_gpt2 = (
        before.get("type") == "ByteLevel"
        and before.get("use_regex", True) is True
        and before.get("add_prefix_space") is False
    )
    changes = [facts.get("normalizer"), model.get("dropout"), model.get("byte_fallback")]
    affixes = [model.get(name) for name in ("continuing_subword_prefix", "end_of_word_suffix")]
    if model.get("type") != "BPE" or not splits_as_gpt2 or any(changes) or any(affixes):
        raise ValueError("only byte-level BPE that splits text as GPT-2 does is supported")
    added = facts.get("added_tokens") or []
    if not all(token.get("special") for token in added):
        raise ValueError("it has added tokens that are not special, which are not supported")
    special = {str(token["content"]): int(token["id"]) for token in added}
    vocab = {**model["vocab"], **special}
    if END_OF_TEXT not in special:
        raise ValueError(f"it has no special token {END_OF_TEXT}")
    is_whole = all(type(i) is int for i in vocab.values())
    if not is_whole or len(vocab) > MAX_TOKENS or {*vocab.values()} != {*range(len(vocab))}:
        raise ValueError(f"its IDs are not 0 to {len(vocab) - 1:,}, each once")
    ranks = {read_token(token): i for token, i in vocab.items() if token not in special}
    if not ranks.keys() >= {bytes([byte]) for byte in range(256)}:
        raise ValueError("it lacks some of the 256 single bytes")
    return BytePairs(dict(sorted(ranks.items(), key=lambda item: item[1])), special)


def read_merges(facts: dict[str, Any], pairs: BytePairs) -> Merges:
    """Return the merges of a tokenizer.json from elsewhere.

    Raises:
        ValueError: they do not lead to its tokens in the order of their IDs, so that another
            program would give other token IDs; the message has no full stop.
    """
    if sum(len(token) ** 2 for token in pairs.ranks) > MAX_WORK:
        raise ValueError("its tokens are too long")
    written = facts["model"]["merges"]  # in either of the library's two ways
    merges = [tuple(map(read_token, m.split(" ") if isinstance(m, str) else m)) for m in written]
    derived = derive_merges(pairs.ranks)
    if derived != merges:
        raise ValueError("its merges are not in the order of its tokens' IDs")
    return derived


def written_token(token: bytes) -> str:
    """Return a token's bytes as the characters that stand for them."""
    return "".join(BYTE_CHARACTERS[byte] for byte in token)


def read_token(token: str) -> bytes:
    """Return the bytes that a token's characters stand for."""
    return bytes(CHARACTER_BYTES[character] for character in token)


@cache
def gpt2_pairs() -> BytePairs:
    """Return GPT-2's vocabulary."""
    tokenizer = get_tokenizer()
    tokens = {tokenizer.decode_single_token_bytes(i): i for i in range(END_OF_TEXT_ID)}
    return BytePairs(tokens, {END_OF_TEXT: END_OF_TEXT_ID})


@cache  # the same for all models, and takes a second
def _gpt2_json() -> str:
    pairs = gpt2_pairs()
    return write_byte_pairs(pairs, derive_merges(pairs.ranks))


def _tokenizer_json(special: Mapping[str, int], **parts: Any) -> str:
    """Return a tokenizer.json with special tokens and the parts of the library's pipeline."""
    exact = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    facts: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": token_id, "content": content, **exact, "special": True}
            for content, token_id in special.items()
        ],
        "normalizer": None,
        **parts,
    }
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))

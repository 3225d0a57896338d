"""The tokenizer's files for transformers: the same token IDs there as here."""

import hashlib

import pytest
import tiktoken
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from gpt_core.vocabularies import encode_corpus, tokenizer_files
from gpt_core.vocabularies.hugging_face import derive_merges
from tests.test_imports import imports, modules

SHA256 = "2869a5834dbec9654e4d574cb4ef2ac9df7b750d3596b8258793484a392437b0"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("tokenizer")
    for name, content in tokenizer_files(1024).items():
        (folder / name).write_bytes(content.encode())
    return AutoTokenizer.from_pretrained(folder)


@given(st.lists(st.text() | st.sampled_from(("<|endoftext|>", " ", "\n", "'ll", "1"))).map("".join))
@example("<|endoftext|><|endoftext|> a <|endoftext|>\n")
@example("<|endoftext|")
@example("e\N{COMBINING ACUTE ACCENT} \N{ZERO WIDTH JOINER}\N{FAMILY} \0\t\r\n  x")
@example(
    "I'LL'll we’ve 12345 ½ Ⅻ \N{ARABIC-INDIC DIGIT FOUR}\N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}y"
)
def test_transformers_gives_any_text_the_same_token_ids(
    tokenizer: tiktoken.Encoding, theirs, text: str
) -> None:
    ids = encode_corpus(text, tokenizer).tolist()
    assert theirs(text)["input_ids"] == ids
    assert theirs.decode(ids) == tokenizer.decode(ids)


def test_every_token_is_known_there_by_its_id(tokenizer: tiktoken.Encoding, theirs) -> None:
    assert len(theirs) == tokenizer.n_vocab
    for token_id in range(tokenizer.n_vocab):
        assert theirs.decode([token_id]) == tokenizer.decode([token_id])


def test_what_stands_around_the_tokens_is_stated(theirs) -> None:
    assert theirs.eos_token_id == theirs.bos_token_id == 50256
    assert theirs.model_max_length == 1024
    assert theirs.decode(theirs("a , b .")["input_ids"]) == "a , b ."  # nothing is tidied up


def test_merges_are_those_that_made_the_tokens() -> None:
    tokens = [b"a", b"b", b"c", b"ab", b"bc", b"abc", b"abcab"]
    assert derive_merges({token: rank for rank, token in enumerate(tokens)}) == [
        (b"a", b"b"),
        (b"b", b"c"),
        (b"ab", b"c"),  # not a and bc: ab was learnt first
        (b"abc", b"ab"),
    ]


def test_the_file_is_the_same_on_every_machine_and_made_without_transformers() -> None:
    content = tokenizer_files(8)["tokenizer.json"].encode()
    assert hashlib.sha256(content).hexdigest() == SHA256
    used = {name.partition(".")[0] for path in modules("gpt_core") for name in imports(path)}
    assert "transformers" not in used

import hashlib
import random
from pathlib import Path

import pytest
import tiktoken
import torch

from gpt_core.vocabularies import encode_corpus, get_tokenizer, text_to_token_ids, token_ids_to_text
from gpt_core.vocabularies import tokenizer as tokenizer_module
from gpt_core.vocabularies.tokenizer import VOCABULARY_FILE, VOCABULARY_SHA256


def test_the_vocabulary_in_the_repository_is_gpt2s() -> None:
    contents = VOCABULARY_FILE.read_bytes()
    assert hashlib.sha256(contents).hexdigest() == VOCABULARY_SHA256
    assert len(contents.splitlines()) == 50_256


def test_a_damaged_vocabulary_is_a_clear_error(tmp_path: Path) -> None:
    damaged = tmp_path / "gpt2.tiktoken"
    damaged.write_bytes(VOCABULARY_FILE.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"damaged.*git checkout"):
        get_tokenizer(damaged)


def test_a_missing_vocabulary_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"missing.*git checkout"):
        get_tokenizer(tmp_path / "gpt2.tiktoken")


def test_tiktoken_is_never_asked_for_its_own_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise AssertionError("tiktoken.get_encoding downloads the vocabulary")

    monkeypatch.setattr(tiktoken, "get_encoding", refuse)
    get_tokenizer.cache_clear()
    assert get_tokenizer().encode("hello") == [31373]


@pytest.mark.parametrize(
    "text", ["", "naïve café", "日本語", "مرحبا", "🙂🙃", "a\r\n\tb  c", "<|endoftext|> and on"]
)
def test_text_survives_the_way_to_ids_and_back(text: str, tokenizer: tiktoken.Encoding) -> None:
    ids = text_to_token_ids(text, tokenizer)
    assert ids.dtype == torch.int64
    assert ids.shape == (1, len(ids[0]))
    assert token_ids_to_text(ids, tokenizer) == text


def test_a_corpus_takes_four_bytes_per_token(tokenizer: tiktoken.Encoding) -> None:
    ids = encode_corpus("one two three", tokenizer)
    assert ids.element_size() == 4
    assert ids.tolist() == tokenizer.encode("one two three")


def test_half_a_surrogate_pair_is_refused_with_its_place(tokenizer: tiktoken.Encoding) -> None:
    with pytest.raises(ValueError, match="damaged at character 2"):
        text_to_token_ids("ab\ud800", tokenizer)


def test_end_of_text_can_be_taken_as_plain_text(tokenizer: tiktoken.Encoding) -> None:
    assert text_to_token_ids("<|endoftext|>", tokenizer).tolist() == [[50256]]
    plain = text_to_token_ids("<|endoftext|>", tokenizer, allow_special=False)
    assert plain.shape[1] == 7
    assert token_ids_to_text(plain, tokenizer) == "<|endoftext|>"


@pytest.mark.parametrize("token_id", [-1, 50257])
def test_an_id_outside_the_vocabulary_is_refused(
    token_id: int, tokenizer: tiktoken.Encoding
) -> None:
    with pytest.raises(ValueError, match=f"Token ID {token_id} does not exist.*0 to 50256"):
        token_ids_to_text(torch.tensor([token_id]), tokenizer)


def test_several_rows_are_refused(tokenizer: tiktoken.Encoding) -> None:
    with pytest.raises(ValueError, match="2 rows"):
        token_ids_to_text(torch.zeros(2, 3, dtype=torch.int64), tokenizer)


def test_a_long_text_is_encoded_in_pieces_to_the_same_ids(
    tokenizer: tiktoken.Encoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer_module, "PIECE_CHARACTERS", 37)
    chance = random.Random(3)
    letters = [*"ab é中ß1_'\n\t .ǅª²Ⅷ🙂", " don't", "<|endoftext|>", " नम", "  ", "\u00a0", "'ll "]
    for _ in range(300):
        text = "".join(chance.choices(letters, k=300))
        shares: list[float] = []
        ids = encode_corpus(text, tokenizer, on_progress=shares.append)
        assert ids.tolist() == tokenizer.encode(text, allowed_special="all")
        assert shares == sorted(shares)
        assert not shares or shares[-1] == 1


def test_a_run_of_blanks_that_is_too_long_is_refused_in_words(
    tokenizer: tiktoken.Encoding,
) -> None:
    with pytest.raises(ValueError, match="a span of blanks there is too long"):
        encode_corpus("Once." + " " * 1_500_000 + "The end.", tokenizer)


def test_half_a_surrogate_pair_is_found_in_a_later_piece(
    tokenizer: tiktoken.Encoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer_module, "PIECE_CHARACTERS", 10)
    with pytest.raises(ValueError, match="damaged at character 100"):
        encode_corpus("word " * 20 + "\ud800", tokenizer)

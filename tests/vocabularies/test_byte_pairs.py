import pytest
import tiktoken

from gpt_core.text import load_text
from gpt_core.vocabularies import byte_ids, byte_pair_merges, split_words


def spelled(token_ids: tuple[int, ...], tokenizer: tiktoken.Encoding) -> list[str]:
    return [tokenizer.decode_single_token_bytes(token_id).decode() for token_id in token_ids]


def test_the_merges_of_a_word_one_by_one(tokenizer: tiktoken.Encoding) -> None:
    merges = byte_pair_merges(" effort", tokenizer)
    assert spelled(byte_ids(" effort", tokenizer), tokenizer) == list(" effort")
    assert [spelled(merge.token_ids, tokenizer) for merge in merges] == [
        [" ", "e", "f", "f", "or", "t"],
        [" e", "f", "f", "or", "t"],
        [" e", "f", "f", "ort"],
        [" e", "ff", "ort"],
        [" eff", "ort"],
        [" effort"],
    ]
    assert [merge.position for merge in merges] == [4, 0, 3, 1, 0, 0]
    assert [merge.number for merge in merges] == [18, 49, 164, 232, 659, 3371]


@pytest.mark.parametrize(
    "text",
    [
        load_text("counting").text[:2000],
        "naïve café — 日本語 مرحبا नमस्ते 🙂🙃 <|endoftext|> xyzzyqux 1234567",
        "a" * 200,
        "  \n\n\t\r\n end ",
    ],
)
def test_the_last_merge_gives_the_tokens_of_tiktoken(
    text: str, tokenizer: tiktoken.Encoding
) -> None:
    words = split_words(text)
    assert "".join(words) == text
    ids: list[int] = []
    for word in words:
        merges = byte_pair_merges(word, tokenizer)
        ids += merges[-1].token_ids if merges else byte_ids(word, tokenizer)
    assert ids == tokenizer.encode(text, disallowed_special=())


def test_a_word_takes_the_space_before_it_along() -> None:
    assert split_words("Hello world's 12 !") == ["Hello", " world", "'s", " 12", " !"]


def test_a_word_without_merges_has_none(tokenizer: tiktoken.Encoding) -> None:
    assert byte_pair_merges("a", tokenizer) == []
    assert byte_pair_merges("", tokenizer) == []

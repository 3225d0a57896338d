"""A text that stays in its file, against the same text in memory."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiktoken
import torch
from hypothesis import given
from hypothesis import strategies as st

from gpt_core.config import GPTConfig, TrainingConfig
from gpt_core.text import (
    Corpus,
    TextFile,
    TokenCache,
    load_text,
    open_text,
    prompt_of,
    split_index,
    split_text,
    text_file,
    token_cache,
    write_problems,
    write_stories,
)
from gpt_core.text.text_file import open_text_file
from gpt_core.training import encode_splits, fit_vocabulary, with_text_probe
from gpt_core.vocabularies import (
    CharacterTokenizer,
    encode_corpus,
    encode_pieces,
    learn_vocabulary,
    read_vocabulary,
)
from gpt_core.vocabularies import (
    tokenizer as tokenizer_module,
)

STORY = load_text("the-lamp-room").text
BLANKS = (*"\n\t\x0b\x1c\x85\u00a0\u2028\u3000", "\r\n", "\n\n", "  ")
LETTERS = (*"abé中ß1_'.ǅª²🙂", " don't", "<|endoftext|>", " नम")
MIXED = st.lists(
    st.text(max_size=5) | st.sampled_from((*LETTERS, *BLANKS)),
    max_size=60,
).map(lambda parts: "".join(parts).replace("\0", ""))


@pytest.fixture(autouse=True)
def _small_blocks_and_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_file, "BLOCK", 5)
    monkeypatch.setattr(tokenizer_module, "PIECE_CHARACTERS", 7)


def in_file(folder: Path, text: str) -> TextFile:
    data = text.encode()
    path = folder / f"{hashlib.sha256(data).hexdigest()[:16]}.txt"
    path.write_bytes(data)
    return open_text_file(path, "A text")


@given(MIXED, st.integers(-70, 70), st.integers(-70, 70))
def test_a_span_of_a_file_is_that_of_the_text(
    tmp_path_factory: pytest.TempPathFactory, text: str, start: int, end: int
) -> None:
    file = in_file(tmp_path_factory.mktemp("texts"), text)
    assert len(file) == len(text)
    assert file.size == len(text.encode())
    assert file.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert file[start:end] == text[start:end]
    assert file[:] == text


@pytest.mark.parametrize("kind", ["gpt2", "bpe", "characters", "bytes"])
@given(text=MIXED, cut=st.integers(0, 60))
def test_the_ids_of_the_pieces_joined_are_those_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, kind: str, text: str, cut: int
) -> None:
    tokenizer = read_vocabulary(learn_vocabulary(kind, STORY, 400))
    file = in_file(tmp_path_factory.mktemp("texts"), text)
    for start, end in ((0, min(cut, len(text))), (min(cut, len(text)), len(text))):
        pieces = list(file.pieces(start, end))
        assert "".join(pieces) == text[start:end]
        for allow_special in (True, False):
            special = {"<|endoftext|>"} if allow_special else set()
            whole = tokenizer.encode_to_numpy(
                text[start:end], allowed_special=special, disallowed_special=()
            )
            encoded = list(encode_pieces(pieces, tokenizer, allow_special))
            assert [i for _, ids in encoded for i in ids.tolist()] == whole.tolist()
            assert [done for done, _ in encoded][-1] == end - start


def test_text_without_words_is_cut_at_its_line_breaks(tokenizer: tiktoken.Encoding) -> None:
    lines = "你好世界。\n" * 20
    pieces = tokenizer_module.text_pieces(lines)
    assert len(pieces) > 5
    ids = encode_corpus(lines, tokenizer)
    assert ids.tolist() == tokenizer.encode(lines)


@pytest.mark.parametrize(
    "text",
    [STORY, write_stories(size=60_000), write_problems("addition", size=20_000)],
    ids=["prose", "stories", "problems"],
)
@pytest.mark.parametrize("ratio", [0.5, 0.9])
def test_it_is_split_and_encoded_like_a_text_in_memory(
    text: str,
    ratio: float,
    tmp_path: Path,
    tokenizer: tiktoken.Encoding,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text_file, "BLOCK", 1000)
    monkeypatch.setattr(tokenizer_module, "PIECE_CHARACTERS", 500)
    file, cache = in_file(tmp_path, text), TokenCache(tmp_path)
    config = TrainingConfig(train_ratio=ratio)
    assert split_index(file, ratio) == len(split_text(text, ratio)[0])
    done: list[float] = []
    splits = encode_splits(file, tokenizer, config, cache, done.append)
    for ids, plain in zip(splits, encode_splits(text, tokenizer, config), strict=True):
        assert ids.dtype == torch.uint16
        assert torch.equal(ids.int(), plain)
    assert done == sorted(done)
    assert done[-1] == 1
    monkeypatch.setattr(TextFile, "pieces", refuse)
    again = encode_splits(file, tokenizer, config, cache)
    assert all(torch.equal(a, b) for a, b in zip(again, splits, strict=True))
    both = encode_splits(text, tokenizer, config, cache)  # finds the same files
    assert all(ids.dtype == torch.int32 for ids in both)


def refuse(*arguments: object) -> Iterator[str]:
    raise AssertionError("it was encoded again")


def test_its_prompt_and_its_probe_are_those_of_a_text_in_memory(
    tmp_path: Path, tokenizer: tiktoken.Encoding
) -> None:
    for text in ("A kettle stood upon the iron stove, and sang. " * 90, write_problems("sort")):
        file, corpus = in_file(tmp_path, text), Corpus("A text", text)
        assert prompt_of(file, tokenizer) == prompt_of(corpus, tokenizer)
        config = TrainingConfig()
        assert with_text_probe(config, file, tokenizer, 32) == with_text_probe(
            config, text, tokenizer, 32
        )


def test_a_vocabulary_of_its_characters_is_that_of_a_text_in_memory(tmp_path: Path) -> None:
    text = "aé<|endoftext|>中b " * 50 + "yy"
    for end_of_text in (True, False):
        config = TrainingConfig(vocabulary="characters", end_of_text=end_of_text)
        in_memory = fit_vocabulary(text, GPTConfig(), config)
        assert fit_vocabulary(in_file(tmp_path, text), GPTConfig(), config) == in_memory
        assert isinstance(in_memory.tokenizer, CharacterTokenizer)
        assert "y" not in in_memory.tokenizer.characters  # which only the validation split has


def test_byte_pairs_are_learnt_from_parts_from_all_over_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_file, "BLOCK", 2**10)
    config, model = TrainingConfig(vocabulary="bpe"), GPTConfig(vocab_size=270)
    text = "".join(f"{word} " * 2_000 for word in ("lamp", "stair", "öl", "evening"))
    monkeypatch.setattr("gpt_core.training.vocabulary.SAMPLE_BYTES", 4_000)
    _, tokenizer, _ = fit_vocabulary(in_file(tmp_path, text), model, config, cache=None)
    for word in (" lamp", " stair", " öl"):
        assert len(tokenizer.encode_ordinary(word)) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("naïve".encode("latin-1") * 9, "not in UTF-8.*near byte 2.*iconv"),
        ("a text in UTF-16".encode("utf-16"), "not in UTF-8"),
        (b"a\0b" * 9, "holds NUL characters"),
        ("naïve".encode()[:3], "ends within a character"),
    ],
)
def test_what_is_no_text_in_utf8_is_refused_in_words(
    data: bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=words):
        open_text_file(path, "A text")


def test_a_file_that_changes_while_it_is_read_leaves_no_tokens(
    tmp_path: Path, tokenizer: tiktoken.Encoding
) -> None:
    file, cache = in_file(tmp_path, STORY), TokenCache(tmp_path / "tokens")
    file.path.write_text(STORY[::-1])
    os.utime(file.path, ns=(1, 1))
    with pytest.raises(ValueError, match="changed while it was read: start the run again"):
        encode_splits(file, tokenizer, TrainingConfig(), cache)
    assert not [*(tmp_path / "tokens").glob("*.npy"), *(tmp_path / "tokens").glob("*.part")]


def test_a_file_that_is_gone_is_reported_in_words(tmp_path: Path) -> None:
    file = in_file(tmp_path, STORY)
    file.path.unlink()
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        list(file.pieces(0, 100))
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        open_text_file(tmp_path / "missing.txt", "A text")


def test_a_text_without_a_place_for_a_cut_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_file, "MAX_PIECE", 100)
    with pytest.raises(ValueError, match=r"100 characters without a line break.*break its lines"):
        list(in_file(tmp_path, "ab12" * 99).pieces(0, 396))


def test_only_a_large_plain_text_stays_in_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPT_LAB_MAX_UPLOAD_MB", "1")
    monkeypatch.setattr(text_file, "BLOCK", 2**20)
    small, large = tmp_path / "small.txt", tmp_path / "large.txt"
    small.write_text("A text.\r\n")
    large.write_text("A large text. " * 100_000)
    assert open_text(small) == Corpus("small.txt", "A text.\n")
    file = open_text(large)
    assert isinstance(file, TextFile)
    assert (file.name, len(file)) == ("large.txt", 1_400_000)
    with pytest.raises(ValueError, match="larger than 1 MB"):
        open_text(large.rename(tmp_path / "large.html"))


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_what_a_killed_process_left_is_removed(tmp_path: Path, dtype: type[np.integer]) -> None:
    left = tmp_path / "abc-0-9.1.1.part"
    left.write_bytes(b"half")
    cache = TokenCache(tmp_path)
    ids = cache.get_large("abc", "0-9", lambda: [np.arange(9), np.arange(3)], dtype)
    assert ids.numpy().dtype == dtype
    assert ids.tolist() == [*range(9), *range(3)]
    assert not left.exists()


def test_a_folder_that_cannot_be_written_ends_a_large_text_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"tokens cannot be written to .*file: File exists"):
        TokenCache(tmp_path / "file").get_large("abc", "0-9", lambda: [], np.uint16)


def test_a_large_file_of_tokens_is_checked_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_cache, "BLOCK", 16)
    monkeypatch.setattr(token_cache, "MAX_BLOCKS", 4)
    cache, ids = TokenCache(tmp_path), np.arange(3_000)
    for damage in (slice(-8, None), slice(0, 16), slice(128, 3_000)):
        cache.get_large("abc", "0-9", lambda: [ids], np.uint16)
        [path] = tmp_path.glob("*.npy")
        data = bytearray(path.read_bytes())
        data[damage] = bytes(len(data[damage]))  # what a lost block reads as
        path.write_bytes(data)
        again = cache.get_large("abc", "0-9", lambda: [ids], np.uint16)
        assert again.tolist() == ids.tolist()

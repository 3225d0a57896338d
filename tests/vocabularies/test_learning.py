"""The teaching version of byte-pair learning, and the fast one: the same merges."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gpt_core.text import load_text
from gpt_core.vocabularies import count_merges, learn_byte_pairs, learn_merges
from gpt_core.vocabularies.byte_level import SAMPLE_BYTES, byte_pairs_of, sample_of
from gpt_core.vocabularies.hugging_face import BYTE_ORDER, derive_merges
from gpt_core.vocabularies.vocabulary import describe_sample

FEW_LETTERS = st.text(st.sampled_from("aab c\né中"), max_size=60)  # which repeat, and overlap


def as_bytes(merges: list[tuple[tuple[int, int], int]]) -> list[tuple[bytes, bytes]]:
    tokens = [bytes([byte]) for byte in BYTE_ORDER]
    pairs = []
    for (one, other), _ in merges:
        pairs.append((tokens[one], tokens[other]))
        tokens.append(tokens[one] + tokens[other])
    return pairs


def test_the_most_frequent_pair_is_merged_first() -> None:
    merges = learn_byte_pairs("ab ab ab cd cd", 3)
    assert as_bytes(merges) == [(b"a", b"b"), (b"c", b"d"), (b" ", b"ab")]
    assert [times for _, times in merges] == [3, 2, 2]


def test_of_equally_frequent_pairs_the_one_with_the_smallest_ids_is_merged_first() -> None:
    [((one, other), times), *_] = learn_byte_pairs("xy ab xy ab", 1)
    assert (BYTE_ORDER[one], BYTE_ORDER[other], times) == (*b"ab", 2)


def test_a_pair_that_occurs_once_is_not_merged() -> None:
    assert learn_byte_pairs("abc", 5) == []
    assert learn_merges("abc", 5) == []


@given(FEW_LETTERS)
@example("aaaa aaaaa aaaaaaa aa aaaaaaaaaaaaaaaaa")
@example("<|endoftext|><|endoftext|>")
def test_the_library_learns_the_merges_of_the_teaching_version(text: str) -> None:
    slow = learn_byte_pairs(text, 40)
    fast = learn_merges(text, 40, allow_special=False)
    assert fast == as_bytes(slow)
    assert count_merges(text, fast) == [times for _, times in slow]


def test_on_a_story_too_the_two_learn_the_same() -> None:
    text = load_text("the-lamp-room").text[:4000]
    slow = learn_byte_pairs(text, 60)
    fast = learn_merges(text, 60)
    assert fast == as_bytes(slow)
    assert count_merges(text, fast) == [times for _, times in slow]


@given(FEW_LETTERS)
def test_the_tokens_tell_the_merges_that_made_them(text: str) -> None:
    merges = learn_merges(text, 40)
    assert derive_merges(byte_pairs_of(merges).ranks) == merges


def test_nothing_is_learnt_of_the_mark_between_two_documents() -> None:
    text = "ab<|endoftext|>" * 9
    assert learn_merges(text, 9) == [(b"a", b"b")]
    assert len(learn_merges(text, 9, allow_special=False)) == 9


def test_a_long_word_takes_no_long_time() -> None:
    assert learn_merges("ab" * 200_000, 20)[0] == (b"a", b"b")


def test_of_a_long_text_a_sample_from_all_over_it_is_learnt_from_and_said_so() -> None:
    text = "".join(f"{i:07} " for i in range(SAMPLE_BYTES // 4))
    parts = sample_of(text)
    assert 0.99 * SAMPLE_BYTES <= sum(map(len, parts)) <= SAMPLE_BYTES
    assert parts[0] == text[: len(parts[0])]
    assert text.index(parts[-1]) > 0.9 * len(text)
    assert describe_sample("bpe", text).startswith("The text is long")
    assert describe_sample("bpe", text[:1000]) == describe_sample("bytes", text) == ""


@pytest.mark.parametrize("allow_special", [True, False])
def test_progress_ends_at_one(allow_special: bool) -> None:
    reported: list[float] = []
    learn_merges("one two<|endoftext|>one two", 3, allow_special, reported.append)
    assert reported[-1] == 1

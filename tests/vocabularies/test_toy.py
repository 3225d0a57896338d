import pytest

from gpt_core.vocabularies import TOY_PROBAS, TOY_VOCABULARY, toy_argmax, toy_ids


def test_the_seven_words_have_the_lectures_ids() -> None:
    assert toy_ids("every effort moves") == [2, 1, 4]
    assert toy_ids(" ".join(TOY_VOCABULARY)) == [0, 1, 2, 3, 4, 5, 6]


def test_the_rows_sum_to_one_and_have_the_lectures_argmaxes() -> None:
    for row in TOY_PROBAS.values():
        assert len(row) == 7
        assert sum(row) == pytest.approx(1)
    assert [toy_argmax(word) for word in TOY_PROBAS] == [1, 4, 5]
    assert [TOY_VOCABULARY[toy_argmax(word)] for word in TOY_PROBAS] == ["effort", "moves", "you"]


def test_the_row_after_every_is_the_lectures_but_for_the_word_that_had_nothing() -> None:
    read_out = (0.10, 0.60, 0.20, 0.05, 0.00, 0.02, 0.01)
    differing = [i for i in range(7) if TOY_PROBAS["every"][i] != read_out[i]]
    assert [TOY_VOCABULARY[i] for i in differing] == ["moves"]


def test_a_word_outside_the_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="“chocolate” is not one of the seven"):
        toy_ids("every chocolate")

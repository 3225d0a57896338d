import pytest

from gpt_core.system import count


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((1, "run"), "1 run"),
        ((0, "run"), "0 runs"),
        ((1200, "token"), "1,200 tokens"),
        ((1, "batch", "batches"), "1 batch"),
        ((2, "batch", "batches"), "2 batches"),
    ],
)
def test_a_number_and_its_noun_agree(words: tuple, expected: str) -> None:
    assert count(*words) == expected

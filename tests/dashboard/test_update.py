"""The description of a single step."""

import pytest

from dashboard.train.update import describe_largest
from gpt_core.store import StoredUpdate


@pytest.mark.parametrize(
    ("rate", "change", "words"),
    [
        (1e-3, 2e-3, "tok_emb, is 2.00 times the learning rate"),
        (0.0, 0.0, "to 0: no weight changed"),
    ],
)
def test_the_largest_change_is_compared_with_the_learning_rate_unless_that_is_0(
    rate: float, change: float, words: str
) -> None:
    update = StoredUpdate(
        *(3, 1, 256, rate, 9.0, 8.5, 1.5, (), (), change, "tok_emb"), id=1, seconds=2.0
    )
    assert words in describe_largest(update)

"""The judgement of ``python -m tests.faults.class_attacks``, which itself is no test."""

from dataclasses import replace

import pytest

from tests.faults.attack import Outcome
from tests.faults.class_attacks import ATTACKS, WITH_FEW_FILES, judge
from tests.faults.watched_class import MB, Noticed
from tests.support.attack_files import DOCUMENTS, WEIGHTS

CALM = Noticed(0.01, 0.02, 0.1, 0.3, 8.0, 800 * MB)


def judged(during: Noticed = CALM, after: float = 850 * MB, outcome: Outcome | None = None):
    return judge(CALM, during, after, outcome or Outcome(), [])


def test_a_class_that_notices_little_meets_every_criterion() -> None:
    assert judged(replace(CALM, steps_a_second=4.0, health_max=1.0, click_max=1.9)) == []


@pytest.mark.parametrize(
    ("during", "after", "words"),
    [
        (replace(CALM, health_max=1.1), 0.0, "/health took 1.1 s"),
        (replace(CALM, steps_a_second=3.9), 0.0, "training at 49%"),
        (replace(CALM, click_max=2.0), 0.0, "a click took 2.0 s"),
        (replace(CALM, click_max=float("nan")), 0.0, "no student clicked"),
        (CALM, 901 * MB, "101 MB stay in memory"),
    ],
)
def test_what_is_not_met_is_named(during: Noticed, after: float, words: str) -> None:
    assert judged(during, after) == [words]


def test_what_an_attack_says_must_hold_is_a_criterion() -> None:
    outcome = Outcome().end("The door is open.", nobody_comes_in=False, the_run_trains=True)
    assert judged(outcome=outcome) == ["nobody comes in"]


def test_every_hostile_file_is_an_attack() -> None:
    assert {*WEIGHTS, *DOCUMENTS} <= set(ATTACKS)
    assert not set(ATTACKS) & set(WITH_FEW_FILES)

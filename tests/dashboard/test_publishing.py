"""How much other machines may publish in a minute."""

import pytest

from dashboard.publishing.endpoint import Rate
from gpt_core.publishing import PublishingRefused


def test_what_comes_too_fast_waits_and_does_not_count() -> None:
    now = 0.0
    rate = Rate(100, timer=lambda: now)
    rate.take(60)
    now = 30.0
    rate.take(40)
    for _ in range(3):
        with pytest.raises(PublishingRefused, match="More than 100 came in a minute") as refused:
            rate.take(1)
    assert refused.value.status == 429
    now = 61.0  # the first 60 are older than a minute
    rate.take(60)
    with pytest.raises(PublishingRefused):
        rate.take(1)


def test_one_request_alone_is_never_too_much() -> None:
    Rate(100).take(1000)  # it could never be sent otherwise

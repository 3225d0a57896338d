"""Scaling on paper, by its limits and by numbers worked out by hand."""

import math
from itertools import pairwise

import pytest

from gpt_core.analysis import all_reduce_seconds, parallel_efficiency

STEP, GRADIENTS = 0.3, 650e6  # seconds and bytes: about the chapter's model
TEN_GBIT = 10e9 / 8
DEVICES = (1, 2, 4, 8, 16, 32, 64)


def test_one_device_waits_for_nobody() -> None:
    assert all_reduce_seconds(1, GRADIENTS, TEN_GBIT) == 0
    assert parallel_efficiency(1, STEP, GRADIENTS, TEN_GBIT) == 1


@pytest.mark.parametrize("devices", DEVICES)
def test_an_infinitely_fast_network_costs_nothing(devices: int) -> None:
    assert parallel_efficiency(devices, STEP, GRADIENTS, math.inf) == 1


def test_two_devices_send_all_gradients_once_and_many_twice() -> None:
    assert all_reduce_seconds(2, 1e9, 1e9) == 1
    assert all_reduce_seconds(10_000, 1e9, 1e9) == pytest.approx(2, rel=1e-3)


def test_efficiency_by_hand() -> None:
    # 1 GB over 1 GB/s between two takes 1 s, of which the backward pass hides 2/3 of 0.9 s.
    assert parallel_efficiency(2, 0.9, 1e9, 1e9) == pytest.approx(0.9 / (0.9 + 0.4))
    # Hidden but for its last bucket, 0.1 s.
    assert parallel_efficiency(2, 9, 1e9, 1e9, last_bytes=1e8) == pytest.approx(9 / 9.1)


@pytest.mark.parametrize("bandwidth", [1e9, 1e10, 1e11])
def test_more_devices_never_raise_the_efficiency_and_always_the_whole_speed(
    bandwidth: float,
) -> None:
    efficiencies = [parallel_efficiency(n, STEP, GRADIENTS, bandwidth) for n in DEVICES]
    assert efficiencies == sorted(efficiencies, reverse=True)
    assert all(0 < efficiency <= 1 for efficiency in efficiencies)
    speeds = [n * e for n, e in zip(DEVICES[1:], efficiencies[1:], strict=True)]
    assert speeds == sorted(speeds)


@pytest.mark.parametrize(
    "longer",
    [
        [parallel_efficiency(8, STEP, GRADIENTS, speed * 1e9) for speed in (1, 3, 10, 100)],
        [parallel_efficiency(8, seconds, GRADIENTS, TEN_GBIT) for seconds in (0.1, 1, 3, 9)],
        [parallel_efficiency(8, STEP, size, TEN_GBIT) for size in (1e9, 1e8, 1e7)],
        [
            # Four times the batches, four times the step: the gradients travel once for all.
            parallel_efficiency(8, n * STEP, GRADIENTS, TEN_GBIT, accumulation_steps=n)
            for n in (1, 4, 16)
        ],
    ],
    ids=["a faster network", "a longer step", "a smaller model", "accumulated batches"],
)
def test_it_pays_more_with(longer: list[float]) -> None:
    assert all(before < after for before, after in pairwise(longer))

import math

import pytest
import torch

from gpt_core.config import TrainingConfig
from gpt_core.training import learning_rate_at, steps_in_run


def rates(total: int, **settings) -> list[float]:
    config = TrainingConfig(learning_rate=0.01, **settings)
    return [learning_rate_at(step, total, config) for step in range(total)]


def test_the_chapters_schedule_is_constant() -> None:
    assert set(rates(50)) == {0.01}


def test_warm_up_rises_in_a_straight_line_to_the_learning_rate() -> None:
    assert rates(8, warmup_steps=4)[:5] == pytest.approx([0.0025, 0.005, 0.0075, 0.01, 0.01])


def test_the_cosine_ends_at_the_smallest_rate_and_never_rises() -> None:
    found = rates(100, schedule="cosine", warmup_steps=10, min_learning_rate=0.001)
    assert max(found) == found[10] == pytest.approx(0.01)
    assert found[-1] == pytest.approx(0.001)
    assert found[10:] == sorted(found[10:], reverse=True)


def test_the_cosine_is_that_of_pytorch() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=99, eta_min=0.001)
    found = rates(100, schedule="cosine", min_learning_rate=0.001)
    for rate in found:
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("total", [1, 2, 5])
def test_a_run_shorter_than_its_warm_up_has_finite_rates(total: int) -> None:
    found = rates(total, schedule="cosine", warmup_steps=5)
    assert all(math.isfinite(rate) and 0 < rate <= 0.010001 for rate in found)


@pytest.mark.parametrize(("batches", "accumulated", "steps"), [(9, 1, 20), (9, 4, 6), (8, 4, 4)])
def test_a_step_takes_several_batches_and_the_rest_of_an_epoch_is_one_too(
    batches: int, accumulated: int, steps: int
) -> None:
    config = TrainingConfig(num_epochs=2, accumulation_steps=accumulated)
    assert steps_in_run(batches, config) == (18 if accumulated == 1 else steps)

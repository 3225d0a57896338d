import pytest

from gpt_core.analysis import run_progress
from gpt_core.store import Run, StoredStep


def step(global_step: int, seconds: float) -> StoredStep:
    return StoredStep(
        global_step,
        epoch=1 + global_step // 10,
        tokens_seen=64 * (global_step + 1),
        loss=9.0,
        grad_norm=1.0,
        learning_rate=4e-4,
        id=global_step + 1,
        seconds=seconds,
        memory=0,
    )


def test_progress_counts_steps_and_takes_its_pace_from_the_last_ones(run: Run) -> None:
    progress = run_progress(run, [step(9, 4.0), step(10, 4.5), step(11, 5.0)])
    assert (progress.steps_done, progress.total_steps, progress.epoch) == (12, 20, 2)
    assert progress.fraction == 0.6
    assert progress.tokens_per_second == pytest.approx(128)
    assert progress.seconds_left == pytest.approx(4)


@pytest.mark.parametrize("rows", [[], [step(0, 0.5)]])
def test_before_the_second_step_there_is_no_pace(run: Run, rows: list[StoredStep]) -> None:
    progress = run_progress(run, rows)
    assert progress.steps_done == len(rows)
    assert progress.tokens_per_second is None
    assert progress.seconds_left is None

from pathlib import Path

import pytest

from tests.faults.kill_and_resume import run_faults


@pytest.mark.slow
def test_a_run_killed_five_times_loses_nothing_and_ends_with_the_same_losses(
    tmp_path: Path,
) -> None:
    counts = run_faults(kills=5, seed=3, folder=tmp_path)
    assert counts["kills"] >= 5
    assert counts["runs_finished"] >= 1
    assert counts["rows_read"] > 500
    lost = ("databases_damaged", "rows_missing", "checkpoints_unreadable", "runs_not_equal")
    assert {name: counts[name] for name in lost} == dict.fromkeys(lost, 0)

from pathlib import Path

import pytest

from tests.faults.kill_and_resume import run_faults


@pytest.mark.slow
@pytest.mark.whole_run  # one kill each: tests/runner/test_crash.py, server_faults.py
@pytest.mark.parametrize("kills", [5])
def test_a_run_killed_at_random_loses_nothing_and_ends_with_the_same_losses(
    kills: int, tmp_path: Path
) -> None:
    counts = run_faults(kills=kills, seed=3, folder=tmp_path)
    assert counts["kills"] >= kills
    assert counts["runs_finished"] >= 1
    assert counts["rows_read"] > 100 * kills
    lost = ("databases_damaged", "rows_missing", "checkpoints_unreadable", "runs_not_equal")
    assert {name: counts[name] for name in lost} == dict.fromkeys(lost, 0)

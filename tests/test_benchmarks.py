import json

import pytest

from benchmarks import classroom
from benchmarks.pairs import HISTORY, measure_pairs
from benchmarks.table import README, with_table


def test_pairs_are_measured_by_turns_and_the_ratio_is_b_over_a() -> None:
    calls = []
    values = {"a": iter([1.0, 2.0, 4.0]), "b": iter([2.0, 8.0, 12.0])}

    def measure(name: str) -> float:
        calls.append(name)
        return next(values[name])

    result = measure_pairs(lambda: measure("a"), lambda: measure("b"), pairs=3)
    assert "".join(calls) == "ababab"
    assert result == {"a": 2.0, "b": 8.0, "ratio": 3.0}


def test_the_history_is_one_json_object_a_line_with_machine_date_and_commit() -> None:
    for line in HISTORY.read_text().splitlines():
        result = json.loads(line)
        assert {"date", "commit", "benchmark", "machine"} <= set(result)


def test_the_readmes_table_is_the_historys() -> None:
    readme = README.read_text()
    assert with_table(readme) == readme, "run: python -m benchmarks.table"


@pytest.mark.parametrize(
    "name", ["training", "generation", "dataset", "startup", "dashboard", "walk", "classroom"]
)
def test_each_benchmark_has_been_run(name: str) -> None:
    assert any(json.loads(line)["benchmark"] == name for line in HISTORY.read_text().splitlines())


@pytest.mark.whole_run
@pytest.mark.slow
def test_a_small_class_loses_no_run_and_nobody_sees_anothers_choice() -> None:
    result = classroom.measure(students=6, minutes=0.5, alone_seconds=4)
    assert result["faults"] == []
    assert result["clicks"] > 3
    assert result["redraws"] > 20

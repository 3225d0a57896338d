"""Several processes give the losses of one that accumulates as many batches."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.distributed.ranks import CASES, SLOW, UPDATE_BATCHES, losses_of
from tests.distributed.torchrun import begin, finish, torchrun

pytestmark = pytest.mark.slow

BOUNDS = {"float64": 1e-9, "float32": 1e-4, "clipped, tied, rotary": 1e-4, "muon": 1e-3}


@pytest.fixture(scope="module", params=[2, 3], ids=["2 processes", "3 processes"])
def together(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, dict[str, Any]]:
    """The number of processes, and what each case gave."""
    file = tmp_path_factory.mktemp("ranks") / "results.json"
    finish(begin(torchrun(request.param, "tests.distributed.ranks", str(file))))
    return request.param, json.loads(Path(file).read_text())


@pytest.mark.parametrize("case", BOUNDS)
def test_the_losses_are_those_of_one_process(
    case: str, together: tuple[int, dict[str, Any]]
) -> None:
    processes, results = together
    alone, shared = losses_of(case, UPDATE_BATCHES[processes]), results[case]
    assert len(shared["steps"]) == len(alone["steps"]) >= 20
    assert shared["steps"] == pytest.approx(alone["steps"], rel=0, abs=BOUNDS[case])
    assert shared["steps"][-1] < shared["steps"][0] - 0.5
    for ours, theirs in zip(shared["evaluations"], alone["evaluations"], strict=True):
        assert ours == pytest.approx(theirs, rel=0, abs=100 * BOUNDS[case])
    assert shared["generator"] == alone["generator"]


def test_all_ranks_have_the_same_weights(together: tuple[int, dict[str, Any]]) -> None:
    differences = {case: together[1][case]["differ"] for case in CASES if case not in SLOW}
    assert set(differences.values()) == {0.0}


def test_a_machine_without_the_tokens_gets_them_and_keeps_them(
    together: tuple[int, dict[str, Any]],
) -> None:
    processes, results = together
    assert results["tokens"] == ["1 from disk", f"{processes} from disk"]


def test_a_sharded_optimizer_gives_the_losses_of_a_whole_one(
    together: tuple[int, dict[str, Any]],
) -> None:
    results = together[1]
    assert results["sharded"]["steps"] == results["float32"]["steps"]
    assert results["sharded"]["evaluations"] == results["float32"]["evaluations"]


def test_with_dropout_a_run_repeats_itself_exactly(together: tuple[int, dict[str, Any]]) -> None:
    processes, results = together
    assert results["dropout"] == results["dropout again"]
    without = losses_of("dropout", UPDATE_BATCHES[processes])
    assert results["dropout"]["steps"] != without["steps"]  # other draws on each rank
    assert results["dropout"]["generator"] != without["generator"]  # which the order never sees


@pytest.mark.whole_run  # compiling takes its time
def test_compiled_processes_give_the_losses_of_uncompiled_ones(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    command = torchrun(2, "tests.distributed.ranks", str(file), *SLOW)
    _, err = finish(begin(command, TORCH_LOGS="ddp_graphs"))
    assert err.count("compiled_submod_1") >= 2  # on both ranks cut into buckets of gradients
    results = json.loads(file.read_text())
    compiled, plain = (results[case]["steps"][:30] for case in ("compiled", "uncompiled"))
    assert compiled != plain  # it was compiled: other kernels round otherwise
    assert compiled == pytest.approx(plain, rel=0, abs=1e-4)
    assert results["compiled"]["differ"] == 0.0

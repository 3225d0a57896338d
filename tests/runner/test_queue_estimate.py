"""When waiting runs are expected to begin."""

import math
from dataclasses import replace

import pytest

from gpt_core.analysis import CachedStore
from gpt_core.presets import Preset
from gpt_core.records import StepRecord
from gpt_core.runner import TrainingRunner, expected_queue
from gpt_core.store import RunStore
from gpt_core.text import load_text
from tests.conftest import TINY, TINY_TRAINING

PRESET = Preset("tiny", "Two layers.", TINY, TINY_TRAINING)
TEXT = load_text("counting")


def test_where_nothing_was_ever_trained_the_order_is_known_and_no_time(
    store: RunStore, runner: TrainingRunner
) -> None:
    cached_store = CachedStore(store)
    assert expected_queue(cached_store, runner) == []
    runner.hold(True, actor="local")
    for name in ("ann", "ben"):
        runner.start(PRESET, TEXT, actor=name, run_id=f"{name}s")
    queue = expected_queue(cached_store, runner)
    assert [(place.run.id, place.starts_in) for place in queue] == [("anns", 0), ("bens", math.inf)]


@pytest.mark.slow
def test_a_run_waits_for_as_long_as_those_before_it_will_take_by_the_pace_on_record(
    store: RunStore, runner: TrainingRunner
) -> None:
    assert runner.wait(runner.start(PRESET, TEXT, run_id="done", actor="local"), 60)
    seconds = CachedStore(store).summaries()[0].seconds
    runner.hold(True, actor="local")
    longer = replace(TINY_TRAINING, num_epochs=3 * TINY_TRAINING.num_epochs)
    runner.start(PRESET, TEXT, longer, actor="ann", run_id="anns")
    runner.start(PRESET, TEXT, actor="ben", run_id="bens")
    runner.start(PRESET, TEXT, actor="cleo", run_id="cleos")
    starts = {place.run.id: place.starts_in for place in expected_queue(CachedStore(store), runner)}
    assert starts == pytest.approx({"anns": 0, "bens": 3 * seconds, "cleos": 4 * seconds})


def test_a_run_that_trains_is_waited_for_by_its_own_pace(store: RunStore) -> None:
    runner = TrainingRunner(store, threads=1)
    try:
        long = replace(TINY_TRAINING, num_epochs=100_000)
        first = runner.start(PRESET, TEXT, long, actor="ann", run_id="anns")
        while len(store.steps(first)) < 3:
            pass
        runner.start(PRESET, TEXT, actor="ben", run_id="bens")
        runner.start(PRESET, TEXT, actor="cleo", run_id="cleos")
        queue = expected_queue(CachedStore(store), runner)
        assert [place.run.id for place in queue] == ["bens", "cleos"]
        assert 1 < queue[0].starts_in < queue[1].starts_in < math.inf
    finally:
        runner.close()


@pytest.mark.slow
def test_steps_that_are_done_are_not_waited_for_again(
    store: RunStore, runner: TrainingRunner
) -> None:
    assert runner.wait(runner.start(PRESET, TEXT, run_id="done", actor="local"), 60)
    seconds = CachedStore(store).summaries()[0].seconds
    runner.hold(True, actor="local")
    runner.start(PRESET, TEXT, actor="ann", run_id="anns")
    half = store.run("anns").total_steps // 2  # type: ignore[union-attr]
    store.add_records("anns", [(StepRecord(half - 1, 1, 64, 9.0, 1.0, 1e-3), seconds / 2)])
    runner.start(PRESET, TEXT, actor="ben", run_id="bens")
    starts = {place.run.id: place.starts_in for place in expected_queue(CachedStore(store), runner)}
    assert starts["bens"] == pytest.approx(seconds / 2, rel=0.2)

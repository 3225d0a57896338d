import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from gpt_core.analysis import CachedStore, MeasuredSample
from gpt_core.analysis import cached_store as cached_store_module
from gpt_core.records import EvaluationRecord, SampleRecord, StepRecord
from gpt_core.store import RunState, RunStore
from tests.support.stored_runs import add_run


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    store = RunStore(tmp_path)
    yield store
    store.close()


def add_steps(store: RunStore, run_id: str, first: int, count: int) -> None:
    records = [(StepRecord(i, 1 + i // 10, 64 * (i + 1), 10 - i / 1000, 1.5, 4e-4), i / 2)
               for i in range(first, first + count)]  # fmt: skip
    store.add_records(run_id, records, memory=1000)


def test_a_history_grows_by_what_was_recorded_since(store: RunStore) -> None:
    add_run(store)
    cached_store = CachedStore(store)
    assert len(cached_store.history("a-run").recorded.steps) == 0
    add_steps(store, "a-run", 0, 3)
    early = cached_store.history("a-run").recorded
    add_steps(store, "a-run", 3, 2000)  # its array has to be made larger
    late = cached_store.history("a-run").recorded
    assert late.steps["global_step"].tolist() == list(range(2003))
    assert set(late.steps["memory"]) == {1000}
    assert early.steps["global_step"].tolist() == [0, 1, 2]  # what was handed out stays


def test_a_history_is_what_the_store_has(store: RunStore) -> None:
    add_run(store)
    store.add_records("a-run", [(StepRecord(0, 1, 64, 10.5, 2.0, 1e-3), 0.5)])
    store.add_records("a-run", [(EvaluationRecord(0, 1, 64, 9.5, 9.75), 1.0)])
    store.add_records("a-run", [(SampleRecord(0, 1, 64, "Every", "Every day", ((0, 2),)), 2.0)])
    history = CachedStore(store).history("a-run").recorded
    assert history.steps["loss"].tolist() == [10.5]
    assert history.evaluations["val_loss"].tolist() == [9.75]
    [sample] = history.samples
    assert sample.copying is not None
    assert sample.copying.spans == ((0, 2),)
    [stored] = store.samples("a-run")
    assert sample == MeasuredSample(**asdict(stored), copying=sample.copying)
    assert sample.copied == ((0, 2),)
    assert history.seconds == 2.0


def test_a_history_up_to_a_step_holds_nothing_later(store: RunStore) -> None:
    add_run(store)
    add_steps(store, "a-run", 0, 10)
    store.add_records("a-run", [(EvaluationRecord(4, 1, 64, 9.5, 9.75), 2.6)])  # after step 5
    store.add_records("a-run", [(SampleRecord(9, 1, 64, "Every", "Every day"), 4.9)])
    history = CachedStore(store).history("a-run").recorded
    early = history.up_to(4)
    assert early.steps["global_step"].tolist() == [0, 1, 2, 3, 4]
    assert (len(early.evaluations), early.samples) == (1, [])
    assert len(history.up_to(3).evaluations) == 0
    whole = history.up_to(9)
    assert (len(whole.steps), whole.samples) == (10, history.samples)


def test_only_so_many_rows_stand_in_memory(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_store_module, "MAX_ROWS", 50)
    cached_store = CachedStore(store)
    for i in range(30):
        add_run(store, f"run-{i}")
        add_steps(store, f"run-{i}", 0, 10)
        cached_store.history(f"run-{i}")
    assert sum(reader.length for reader in cached_store._readers.values()) <= 50 + 10
    assert len(cached_store.history("run-0").recorded.steps) == 10  # read again


def test_a_class_of_thirty_reads_no_history_twice_without_news(store: RunStore) -> None:
    cached_store = CachedStore(store)
    for i in range(30):
        add_run(store, f"run-{i}")
        add_steps(store, f"run-{i}", 0, 10)
    first = [cached_store.history(f"run-{i}") for i in range(30)]
    store.set_state("run-0", RunState.STOPPED, "local")  # news of one
    assert [cached_store.history(f"run-{i}") for i in range(30)] == first
    assert all(cached_store.history(f"run-{i}") is first[i] for i in range(30))


def test_many_viewers_at_once_see_each_row_once(store: RunStore) -> None:
    add_run(store)
    cached_store = CachedStore(store)
    seen: list[np.ndarray] = []

    def look() -> None:
        for _ in range(20):
            seen.append(cached_store.history("a-run").recorded.steps["global_step"])

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for i in range(50):
        add_steps(store, "a-run", 4 * i, 4)
    for thread in threads:
        thread.join()
    assert cached_store.history("a-run").recorded.steps["global_step"].tolist() == list(range(200))
    for steps in seen:
        assert steps.tolist() == list(range(len(steps)))

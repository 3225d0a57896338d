"""Records of a model's inside in the store: read by cursor, removed with their run."""

import sqlite3

import pytest

from gpt_core.analysis import CachedStore
from gpt_core.records import InsideRecord
from gpt_core.store import RunStore
from tests.support.insides import inside_record
from tests.support.stored_runs import add_run


def record(store: RunStore, *steps: int) -> None:
    store.add_records("a-run", [(inside_record(step), 0.5 * step) for step in steps])


def as_recorded(stored: InsideRecord) -> InsideRecord:
    names = InsideRecord.__dataclass_fields__
    return InsideRecord(**{name: getattr(stored, name) for name in names})


def test_what_is_recorded_is_read_back_equal(store: RunStore) -> None:
    add_run(store)
    record(store, 0, 5)
    assert [as_recorded(row) for row in store.inside("a-run")] == [
        inside_record(0),
        inside_record(5),
    ]
    assert [row.seconds for row in store.inside("a-run")] == [0.0, 2.5]


def test_only_what_is_new_is_read_after_a_cursor(store: RunStore) -> None:
    add_run(store)
    record(store, 0, 5)
    first = store.inside("a-run")[0].id
    [new] = store.records_since("a-run", ("inside",), {"inside": first}).inside
    assert new.global_step == 5


def test_a_step_is_recorded_once(store: RunStore) -> None:
    add_run(store)
    record(store, 0)
    with pytest.raises(sqlite3.IntegrityError):
        record(store, 5, 0)
    assert [row.global_step for row in store.inside("a-run")] == [0]


def test_pages_share_one_reading_and_a_deleted_run_is_forgotten(store: RunStore) -> None:
    cached = CachedStore(store)
    add_run(store)
    record(store, 0)
    before = cached.inside("a-run")
    add_run(store, "another-run")  # the store has changed, but not this run
    assert cached.inside("a-run") is before
    record(store, 5)
    assert [row.global_step for row in cached.inside("a-run")] == [0, 5]
    assert cached.inside("a-run")[0] is before[0]  # not read again
    store.remove_run("a-run", "ada")
    assert store.inside("a-run") == []
    add_run(store)
    assert cached.inside("a-run") == ()

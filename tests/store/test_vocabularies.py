"""Vocabularies on record: each once, with its run or not at all."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from gpt_core.store import RunStore
from gpt_core.vocabularies import learn_vocabulary, run_tokenizer, vocabulary_sha256
from tests.support.stored_runs import add_run

BYTES = learn_vocabulary("bytes", "", 0)


def count_on_record(store: RunStore) -> int:
    with closing(sqlite3.connect(store.runs_dir / "runs.sqlite")) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM vocabularies").fetchone()[0])


def test_a_vocabulary_is_recorded_once_and_leaves_with_its_last_run(store: RunStore) -> None:
    for run_id in ("a", "b"):
        add_run(store, run_id, vocabulary=BYTES)
    add_run(store, "plain")
    assert count_on_record(store) == 1
    run = store.run("a")
    assert run is not None
    assert run.vocabulary_sha256 == vocabulary_sha256(BYTES)
    assert run_tokenizer(store, run).n_vocab == 257
    plain = store.run("plain")
    assert plain is not None
    assert run_tokenizer(store, plain).name == "gpt2"
    store.remove_run("a", "local")
    assert count_on_record(store) == 1
    store.remove_run("b", "local")
    assert count_on_record(store) == 0


def test_a_run_that_is_not_recorded_leaves_no_vocabulary(store: RunStore) -> None:
    add_run(store, "a")
    with pytest.raises(sqlite3.IntegrityError):
        add_run(store, "a", vocabulary=BYTES)
    assert count_on_record(store) == 0


def test_a_vocabulary_that_was_changed_or_lost_is_refused(store: RunStore) -> None:
    add_run(store, "a", vocabulary=BYTES)
    run = store.run("a")
    assert run is not None
    with closing(sqlite3.connect(store.runs_dir / "runs.sqlite")) as connection:
        connection.execute("UPDATE vocabularies SET tokenizer = '{}'")
        connection.commit()
    with pytest.raises(ValueError, match="missing or damaged"):
        run_tokenizer(store, run)


def test_a_private_run_does_not_tell_its_vocabulary(store: RunStore) -> None:
    add_run(store, "a", vocabulary=BYTES)
    run = store.run("a")
    assert run is not None
    assert run.redacted().vocabulary_sha256 == ""
    assert replace(run, vocabulary_sha256="") != run

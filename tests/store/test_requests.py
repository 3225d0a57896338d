"""Requests to runs of other processes, as the store keeps them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gpt_core.store import Command, RunState, RunStore, mark_interrupted_runs
from gpt_core.store.migrations import MIGRATIONS
from tests.support.stored_runs import add_run


def test_a_request_is_open_until_it_is_answered(store: RunStore) -> None:
    add_run(store)
    asked = store.ask("a-run", "pause", "ada")
    [request] = store.open_requests("a-run")
    assert (request.id, request.command, request.actor) == (asked, Command.PAUSE, "ada")
    assert request.is_open
    store.answer(asked)
    assert store.open_requests() == []
    answered = store.request(asked)
    assert answered is not None
    assert (answered.is_open, answered.error) == (False, "")
    assert answered.answered_at is not None
    assert answered.answered_at >= answered.asked_at


def test_the_first_answer_counts(store: RunStore) -> None:
    add_run(store)
    asked = store.ask("a-run", "step", "ada")
    store.answer(asked, "Pause it first.")
    store.answer(asked)
    last = store.last_request("a-run")
    assert last is not None
    assert last.error == "Pause it first."


def test_what_is_asked_twice_is_done_once_and_in_the_order_of_asking(store: RunStore) -> None:
    add_run(store)
    first = store.ask("a-run", "save", "ada")
    second = store.ask("a-run", "stop", "ada")
    assert store.ask("a-run", "save", "ben") == first
    assert [request.id for request in store.open_requests("a-run")] == [first, second]
    store.answer(first)
    assert store.ask("a-run", "save", "ben") > second


def test_requests_to_one_run_are_not_those_to_another(store: RunStore) -> None:
    for name in ("a-run", "another"):
        add_run(store, name)
        store.ask(name, "pause", "ada")
    assert [request.run_id for request in store.open_requests("another")] == ["another"]
    assert len(store.open_requests()) == 2
    store.answer_all("another", "It is over.")
    assert [request.run_id for request in store.open_requests()] == ["a-run"]


@pytest.mark.parametrize("command", ["fly", "look into", ""])
def test_what_no_other_process_can_do_is_refused(command: str, store: RunStore) -> None:
    add_run(store)
    with pytest.raises(ValueError, match="A run of another process cannot"):
        store.ask("a-run", command, "ada")
    assert store.open_requests() == []


def test_another_process_sees_what_was_asked(store: RunStore) -> None:
    add_run(store)
    with closing(RunStore(store.runs_dir)) as other:
        asked = other.ask("a-run", "pause", "ada")
        store.answer(asked, "No.")
        seen = other.request(asked)
    assert seen is not None
    assert seen.error == "No."


def test_a_run_whose_process_has_died_answers_what_it_was_asked(store: RunStore) -> None:
    add_run(store)
    store.set_state("a-run", RunState.RUNNING, "ada")  # and no process holds its lock
    asked = store.ask("a-run", "pause", "ada")
    mark_interrupted_runs(store)
    request, run = store.request(asked), store.run("a-run")
    assert request is not None
    assert run is not None
    assert request.error == "The process that trained it is gone."
    assert run.state is RunState.INTERRUPTED


def test_a_deleted_run_takes_its_requests_with_it(store: RunStore) -> None:
    add_run(store)
    asked = store.ask("a-run", "pause", "ada")
    store.remove_run("a-run", "ada")
    assert store.request(asked) is None


def test_a_store_from_before_takes_requests(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    scripts = MIGRATIONS[: next(i for i, s in enumerate(MIGRATIONS) if "TABLE requests" in s)]
    with closing(sqlite3.connect(path)) as connection:
        for script in scripts:
            connection.executescript(script)
        connection.execute(f"PRAGMA user_version = {len(scripts)}")
    with closing(RunStore(tmp_path)) as store:
        add_run(store)
        assert store.ask("a-run", "pause", "ada") == 1

"""What the app takes of what is sent to it, and what it refuses."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gpt_core.library import delete_run
from gpt_core.publishing import PublishingRefused, SentRows, receive_run
from gpt_core.publishing.outgoing import BATCH_ROWS, introduce, read_batch
from gpt_core.records import EvaluationRecord, SampleRecord, StepRecord
from gpt_core.store import PUBLISHED_TABLES, Run, RunState, RunStore, mark_interrupted_runs
from gpt_core.store.run import SILENT_SECONDS
from tests.support.stored_runs import add_run

RUN = "a-run"
OWNER = "local"


class Clock:
    """A clock that a test sets."""

    now = 1e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[RunStore]:
    """The store where the run trains."""
    with closing(RunStore(tmp_path / "origin")) as store:
        add_run(store, RUN)
        store.set_state(RUN, RunState.RUNNING, "ada")
        yield store


@pytest.fixture
def app(tmp_path: Path, clock: Clock) -> Iterator[RunStore]:
    """The store of the app."""
    with closing(RunStore(tmp_path / "app", clock)) as store:
        yield store


def run_in(store: RunStore, run_id: str = RUN) -> Run:
    run = store.run(run_id)
    assert run is not None
    return run


def record(store: RunStore, steps: range) -> None:
    store.add_records(RUN, [(StepRecord(i, 1, 9 * i, 5.0, 1.0, 1e-3), 0.1 * i) for i in steps])


def introduce_to(app: RunStore, origin: RunStore) -> dict[str, int]:
    return receive_run(app, RUN, introduce(origin, run_in(origin)), OWNER)


def send(app: RunStore, origin: RunStore, after: dict[str, int]) -> dict[str, int]:
    return SentRows.read(read_batch(origin, RUN, after).body, OWNER).add_to(app, RUN)


def rows(store: RunStore) -> dict[str, list[dict[str, Any]]]:
    found = store.rows_of(RUN, PUBLISHED_TABLES)
    unlike = ("id", "actor")  # the one who publishes has done all of it
    return {t: [{k: r[k] for k in r if k not in unlike} for r in found[t]] for t in found}


def test_what_is_sent_twice_is_there_once(app: RunStore, origin: RunStore) -> None:
    record(origin, range(7))
    origin.add_records(RUN, [(EvaluationRecord(6, 1, 63, 5.0, 5.1), 1.0)])
    origin.add_records(RUN, [(SampleRecord(6, 1, 63, "a", "a ‘text’\n", ((0, 1),)), 1.0)])
    start = introduce_to(app, origin)
    assert introduce_to(app, origin) == start
    first = send(app, origin, start)
    assert send(app, origin, start) == first
    record(origin, range(7, 9))
    last = send(app, origin, start)  # rows that are there, and two that are not
    assert last["steps"] == first["steps"] + 2
    assert rows(app) == rows(origin)


def test_rows_before_which_some_are_missing_wait_for_them(app: RunStore, origin: RunStore) -> None:
    record(origin, range(5))
    start = introduce_to(app, origin)
    told = send(app, origin, {**start, "steps": 3})
    assert told == start
    assert rows(app)["steps"] == []
    assert send(app, origin, told)["steps"] == 5


def test_a_run_ends_here_when_all_of_it_is_here(app: RunStore, origin: RunStore) -> None:
    record(origin, range(BATCH_ROWS + 1))
    origin.set_state(RUN, RunState.FINISHED, "ada")
    cursors = send(app, origin, introduce_to(app, origin))
    assert run_in(app).state is RunState.RUNNING
    send(app, origin, cursors)
    assert run_in(app).state is RunState.FINISHED
    assert rows(app) == rows(origin)


def test_a_published_run_is_live_though_no_process_here_holds_it(
    app: RunStore, origin: RunStore, clock: Clock
) -> None:
    cursors = introduce_to(app, origin)
    send(app, origin, cursors)
    mark_interrupted_runs(app)
    assert [run.id for run in app.live_runs()] == [RUN]
    assert app.seconds_silent(run_in(app)) == 0.0
    with pytest.raises(ValueError, match="stop it first"):
        delete_run(app, RUN, actor=OWNER)
    clock.now += SILENT_SECONDS + 10
    assert app.seconds_silent(run_in(app)) == SILENT_SECONDS + 10
    assert app.live_runs() == []
    assert run_in(app).state is RunState.RUNNING  # only that machine knows better
    send(app, origin, cursors)  # nothing new, but it was heard of
    assert app.seconds_silent(run_in(app)) == 0.0
    assert [run.id for run in app.live_runs()] == [RUN]


def test_a_silent_run_can_be_deleted_and_its_rows_are_refused_then(
    app: RunStore, origin: RunStore, clock: Clock
) -> None:
    cursors = introduce_to(app, origin)
    clock.now += SILENT_SECONDS + 10
    delete_run(app, RUN, actor=OWNER)
    assert app.runs() == []
    with pytest.raises(PublishingRefused, match="was deleted") as refused:
        send(app, origin, cursors)
    assert refused.value.status == 410
    introduce_to(app, origin)  # asked for anew
    assert run_in(app).is_live


def test_another_run_of_the_same_id_is_refused(
    app: RunStore, origin: RunStore, tmp_path: Path
) -> None:
    introduce_to(app, origin)
    with closing(RunStore(tmp_path / "third")) as third:
        add_run(third, RUN)
        with pytest.raises(PublishingRefused, match="Another run a-run came from") as refused:
            introduce_to(app, third)
    assert refused.value.status == 409
    with pytest.raises(PublishingRefused, match="was trained where this app runs"):
        introduce_to(origin, origin)


def introduction(store: RunStore, changes: dict[str, Any]) -> bytes:
    parts = json.loads(introduce(store, run_in(store)))
    run = {**parts["run"], **changes.get("run", {})}
    return json.dumps({**parts, **changes, "run": run}).encode()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 2}, "format 2, not 1"),
        ({"run": {"id": "../../etc"}}, "not a valid run ID"),
        ({"run": {"id": "another"}}, "another ID than its address"),
        ({"run": {"rowid": 1}}, "runs has no column 'rowid'"),
        ({"run": {"created_at": float("nan")}}, "created_at"),
        ({"run": {"created_at": 1e300}}, "created_at"),
        ({"run": {"total_steps": -1}}, "total_steps"),
        ({"run": {"model_config": {"emb_dim": 10**9}}}, "emb_dim"),
        ({"run": {"text_name": 5}}, "does not belong to runs"),
        ({"run": {"text_sha256": None}}, "NOT NULL"),
        ({"origin": "\u202e"}, "does not name its machine"),
        ({"origin": 5}, "not iterable"),
        ({"vocabulary": "{"}, "tokenizer"),
        ({"vocabulary": 5}, ""),
        ({"transitions": {"columns": ["id", "at", "state"], "rows": [[1, 1.0, "x"]]}}, "states"),
        ({"transitions": {"columns": [], "rows": []}}, ""),
    ],
)
def test_a_run_that_is_none_is_refused(
    app: RunStore, origin: RunStore, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(PublishingRefused, match=f"not a run of this version.*{reason}") as refused:
        receive_run(app, RUN, introduction(origin, changes), OWNER)
    assert refused.value.status == 422
    assert app.runs() == []


STEP = {
    **{"id": 9, "global_step": 0, "epoch": 1, "tokens_seen": 1, "loss": 1.0, "grad_norm": 1.0},
    **{"seconds": 1.0, "learning_rate": 0.1, "memory": 1},
}


def table(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"columns": list(rows[0]), "rows": [list(row.values()) for row in rows]}


def transition(**changes: Any) -> dict[str, Any]:
    return table({"id": 9, "at": 1.0, "state": "paused", "actor": "x", "message": "", **changes})


@pytest.mark.parametrize(
    ("tables", "reason"),
    [
        ({"runs": table({"id": 9})}, "'runs' is not a table"),
        ({"checkpoints": table({"id": 9})}, "'checkpoints' is not a table"),
        ({"steps; DROP TABLE runs": table({"id": 9})}, "is not a table"),
        ({"steps": table({**STEP, "run_id": "another"})}, "a run of its own"),
        ({"steps": table(STEP, STEP)}, "id=9 is too small"),
        ({"steps": table(STEP, {**STEP, "id": 10})}, "UNIQUE"),
        ({"steps": table({**STEP, "id": True})}, "id=True is not a whole number"),
        ({"steps": table({**STEP, "id": 2**80})}, "too large"),
        ({"steps": table({**STEP, "loss": "low"})}, "loss='low' does not belong to steps"),
        ({"steps": table({**STEP, "loss": float("nan")})}, "NOT NULL"),
        ({"steps": table({**STEP, "epoch": 10**40})}, "epoch"),
        ({"steps": table({**STEP, 'loss" = 1; --': 1})}, "has no column"),
        ({"steps": {"columns": ["id"], "rows": [[1, 2]]}}, "zip"),
        ({"steps": {"columns": ["id"], "rows": 5}}, "not iterable"),
        ({"steps": {"rows": [[1]]}}, "columns"),
        ({"steps": []}, "list"),
        ({"inside": table({"id": 9, "attention": "%%%"})}, ""),
        ({"transitions": transition(state="exploded")}, "states"),
        ({"transitions": transition(state=["paused"])}, "states"),
        ({"transitions": transition(message="\ud800")}, "message"),
        (
            {"labels": table({"id": 9, "at": 1.0, "actor": "x", "name": "n" * 81, "note": ""})},
            "too long",
        ),
    ],
)
def test_rows_that_are_none_are_refused_and_none_is_added(
    app: RunStore, origin: RunStore, tables: dict[str, Any], reason: str
) -> None:
    introduce_to(app, origin)
    before = rows(app)
    body = json.dumps({"after": {}, "answers": [], "tables": tables}).encode()
    with pytest.raises(PublishingRefused, match=f"not rows of a run.*{reason}") as refused:
        SentRows.read(body, OWNER).add_to(app, RUN)
    assert refused.value.status == 422
    assert rows(app) == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"after": 5, "tables": {}}',
        b'{"after": {"runs": 1}, "tables": {}}',
        b'{"after": {"steps": -1}, "tables": {}}',
        b'{"after": {}, "tables": []}',
        b"[" * 100_000,
        b'{"after": ' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"after": {}, "tables": {"steps": {"columns": [], "rows": ['
        + b"[]," * 600_000
        + b"[]]}}}",
    ],
    ids=lambda body: repr(body[:30]),
)
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(PublishingRefused, match="not rows of a run"):
        SentRows.read(body, OWNER)


def test_an_app_without_the_run_says_so(app: RunStore, origin: RunStore) -> None:
    with pytest.raises(PublishingRefused) as refused:
        send(app, origin, {})
    assert refused.value.status == 410

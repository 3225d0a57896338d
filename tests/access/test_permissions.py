"""Every forbidden action, tried directly against the core as another student: refused, logged."""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from gpt_core.access import ClassRules, PermissionDenied, is_open, is_student, require_owner
from gpt_core.export import delete_checkpoint, export_runs, weights_zip
from gpt_core.inference import ModelCache
from gpt_core.library import TextLibrary, delete_run, label_run, share_run
from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore, Share, ShareKind
from gpt_core.text import Corpus, load_text
from tests.conftest import TINY, TINY_TRAINING

PRESET = Preset("tiny", "Two layers.", TINY, replace(TINY_TRAINING, num_epochs=500))
SHORT = replace(TINY_TRAINING, num_epochs=1)
TEXT = load_text("counting")

Action = Callable[[RunStore, TrainingRunner, str, str], object]
OF_A_LIVE_RUN: dict[str, Action] = {
    "pause": lambda _, runner, run_id, actor: runner.pause(run_id, actor=actor).result(30),
    "stop": lambda _, runner, run_id, actor: runner.stop(run_id, actor=actor).result(30),
    "rename": lambda store, _, run_id, actor: label_run(store, run_id, "Mine", "", actor=actor),
}
OF_A_PAUSED_RUN: dict[str, Action] = {
    "resume": lambda _, runner, run_id, actor: runner.resume(run_id, actor=actor).result(30),
    "step": lambda _, runner, run_id, actor: runner.step(run_id, actor=actor).result(30),
}
OF_AN_ENDED_RUN: dict[str, Action] = {
    "resume": lambda _, runner, run_id, actor: runner.resume(run_id, actor=actor).result(30),
    "delete": lambda store, _, run_id, actor: delete_run(store, run_id, actor=actor),
    "delete checkpoints of": lambda store, _, run_id, actor: delete_checkpoint(
        store, store.checkpoints(run_id)[-1], actor=actor
    ),
}


def start(store: RunStore, runner: TrainingRunner, state: str) -> str:
    run_id = runner.start(PRESET, TEXT, actor="ann", run_id="anns")
    while not store.steps(run_id):
        time.sleep(0.02)
    if state == "paused":
        runner.pause(run_id, actor="ann").result(30)
    if state == "stopped":
        runner.stop(run_id, actor="ann").result(30)
    return run_id


@pytest.mark.parametrize(
    ("state", "doing", "action"),
    [
        (state, doing, action)
        for state, actions in (
            ("running", OF_A_LIVE_RUN),
            ("paused", OF_A_PAUSED_RUN),
            ("stopped", OF_AN_ENDED_RUN),
        )
        for doing, action in actions.items()
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_student_is_refused_and_that_is_on_record(
    store: RunStore, runner: TrainingRunner, state: str, doing: str, action: Action
) -> None:
    run_id = start(store, runner, state)
    before = (store.run(run_id), store.transitions(run_id), store.checkpoints(run_id))
    with pytest.raises(PermissionDenied, match=f"only its owner or the teacher may {doing} it"):
        action(store, runner, run_id, "ben")
    now = (store.run(run_id), store.transitions(run_id), store.checkpoints(run_id))
    if state != "running":  # it goes on saving what it learns
        assert now == before
    assert now[0] is not None
    assert (now[0].state, now[0].name) == (state, "")
    [refusal] = store.class_store.refusals()
    assert (refusal.run_id, refusal.actor, refusal.doing) == (run_id, "ben", doing)
    action(store, runner, run_id, "ann")  # whose it is, may
    assert len(store.class_store.refusals()) == 1


@pytest.mark.parametrize("actor", ["teacher", "local"])
def test_the_teacher_and_whoever_has_no_class_may_do_everything(
    store: RunStore, runner: TrainingRunner, actor: str
) -> None:
    run_id = start(store, runner, "running")
    for action in (OF_A_LIVE_RUN["rename"], OF_A_LIVE_RUN["pause"], OF_A_PAUSED_RUN["step"]):
        action(store, runner, run_id, actor)
    assert store.transitions(run_id)[-1].actor == actor
    runner.stop(run_id, actor=actor).result(30)
    OF_AN_ENDED_RUN["delete"](store, runner, run_id, actor)
    assert store.run(run_id) is None
    assert store.class_store.refusals() == []


def test_everybody_may_look(store: RunStore, runner: TrainingRunner) -> None:
    run_id = start(store, runner, "running")
    assert runner.snapshot(run_id, actor="local").result(30).run_id == run_id
    assert store.steps(run_id)


def test_a_disk_that_is_full_lets_nobody_through(
    store: RunStore, runner: TrainingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start(store, runner, "stopped")

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store.class_store, "add_refusal", fail)
    with pytest.raises(PermissionDenied):
        delete_run(store, run_id, actor="ben")
    assert store.run(run_id) is not None


def test_a_name_that_looks_like_the_teachers_is_a_students() -> None:
    assert all(is_student(name) for name in ("Teacher", "teacher ", "local\n", "", "ann"))


def test_a_run_that_does_not_exist_is_nobodys(store: RunStore) -> None:
    with pytest.raises(ValueError, match="There is no run x"):
        require_owner(store, "x", "ben", "delete")


@pytest.mark.slow
def test_students_take_turns_and_have_one_running_run_each(store: RunStore) -> None:
    runner = TrainingRunner(store, active_runs=2, threads=1)
    try:
        runner.start(PRESET, TEXT, actor="ann", run_id="ann-1")
        for i in (2, 3):
            runner.start(PRESET, TEXT, SHORT, actor="ann", run_id=f"ann-{i}")
        runner.start(PRESET, TEXT, SHORT, actor="ben", run_id="ben-1")
        assert runner.wait("ben-1", 60)  # beside Ann's first, before her second
        assert {store.run(f"ann-{i}").state for i in (2, 3)} == {"queued"}  # type: ignore[union-attr]
        runner.stop("ann-1", actor="ann").result(30)
        assert runner.wait("ann-2", 60)
        assert runner.wait("ann-3", 60)
        began = {
            run.id: next(t.at for t in store.transitions(run.id) if t.state == "running")
            for run in store.runs()
        }
        assert sorted(began, key=lambda run_id: began[run_id]) == [
            *("ann-1", "ben-1", "ann-2", "ann-3")
        ]
    finally:
        runner.close()


OWN_TEXT = Corpus("Ann's diary", TEXT.text.replace("one", "eleven"))

CurveStyle = Callable[[RunStore, TrainingRunner, str, str], object]
INSIDE: dict[str, CurveStyle] = {
    "look into": lambda store, _, run_id, actor: ModelCache().checkpoint(
        store, run_id, store.checkpoints(run_id)[-1].global_step, actor=actor
    ),
    "export the weights of": lambda store, _, run_id, actor: weights_zip(
        store, store.checkpoints(run_id)[-1], "ours", actor=actor
    ),
    **{
        f"export {form}": lambda store, _, run_id, actor, form=form: export_runs(
            store, [require_owner(store, run_id, "local", "")], form, actor=actor
        )
        for form in ("settings", "record", "text", "notebook", "tensorboard")
    },
}


@pytest.fixture
def private_run(store: RunStore, runner: TrainingRunner) -> str:
    """A run of Ann's on a text of her own that has ended."""
    TextLibrary(store, actor="ann").keep(OWN_TEXT, "pasted")
    run_id = runner.start(PRESET, OWN_TEXT, SHORT, actor="ann", run_id="anns")
    assert runner.wait(run_id, 60)
    return run_id


@pytest.mark.parametrize("doing", INSIDE)
def test_into_a_private_run_looks_only_its_owner_unless_it_is_shared(
    store: RunStore, runner: TrainingRunner, private_run: str, doing: str
) -> None:
    look = INSIDE[doing]
    with pytest.raises(PermissionDenied, match="see its curves, but the rest only its owner"):
        look(store, runner, private_run, "ben")
    [refusal] = store.class_store.refusals()
    assert (refusal.run_id, refusal.actor) == (private_run, "ben")
    assert doing.startswith(refusal.doing)
    for actor in ("ann", "teacher", "local"):
        look(store, runner, private_run, actor)
    with pytest.raises(PermissionDenied, match="only its owner or the teacher may share it"):
        share_run(store, private_run, True, actor="ben")
    share_run(store, private_run, True, actor="ann")
    look(store, runner, private_run, "ben")
    share_run(store, private_run, False, actor="ann")
    with pytest.raises(PermissionDenied):
        look(store, runner, private_run, "ben")


def test_the_curves_of_a_private_run_are_for_all(store: RunStore, private_run: str) -> None:
    for form in ("csv", "parquet"):
        assert export_runs(
            store, [require_owner(store, private_run, "ann", "")], form, actor="ben"
        )[1]
    assert store.class_store.refusals() == []


def test_a_live_private_run_is_copied_for_its_owner_alone(
    store: RunStore, runner: TrainingRunner
) -> None:
    run_id = runner.start(PRESET, OWN_TEXT, actor="ann", run_id="anns")
    while not store.steps(run_id):
        time.sleep(0.02)
    model_cache = ModelCache()
    with pytest.raises(PermissionDenied):
        model_cache.snapshot(runner, run_id, actor="ben")
    with pytest.raises(PermissionDenied, match="save it"):
        runner.checkpoint(run_id, actor="ben")
    assert model_cache.snapshot(runner, run_id, actor="ann").run_id == run_id
    assert {row.doing for row in store.class_store.refusals()} == {"look into", "save"}


def test_a_run_is_open_if_its_text_is_and_it_began_at_random(
    private_run: str, store: RunStore
) -> None:
    run = require_owner(store, private_run, "ann", "")
    shares_the_text = frozenset({Share(ShareKind.TEXT, run.text_sha256, "ann")})
    assert not is_open(run, frozenset())
    assert is_open(run, shares_the_text)
    assert not is_open(run, frozenset({Share(ShareKind.TEXT, run.text_sha256, "cleo")}))
    assert is_open(replace(run, text_sha256=TEXT.sha256), frozenset())
    begun = replace(run, text_sha256=TEXT.sha256, initial_sha256="abc")
    assert not is_open(begun, shares_the_text)
    assert is_open(begun, frozenset({Share(ShareKind.RUN, run.id, "ann")}))


@pytest.mark.parametrize(
    ("doing", "action"),
    [
        ("hold the queue", lambda runner: runner.hold(True, actor="ben")),
        ("change the order of the queue", lambda runner: runner.move("anns", 0, actor="ben")),
        ("set the rules", lambda runner: runner.set_rules(ClassRules(), actor="ben")),
    ],
)
def test_what_is_the_teachers_is_refused_to_students(
    store: RunStore, runner: TrainingRunner, doing: str, action: Callable[[TrainingRunner], None]
) -> None:
    with pytest.raises(PermissionDenied, match=f"Only the teacher may {doing}"):
        action(runner)
    [refusal] = store.class_store.refusals()
    assert (refusal.actor, refusal.doing) == ("ben", doing)
    assert not runner.is_held


@pytest.mark.slow
def test_a_held_queue_begins_nothing_and_a_moved_run_comes_first(
    store: RunStore, runner: TrainingRunner
) -> None:
    runner.hold(True, actor="teacher")
    for name in ("ann", "ben", "cleo"):
        runner.start(PRESET, TEXT, SHORT, actor=name, run_id=f"{name}s")
    assert not runner.wait("anns", 1)
    assert {run.state for run in store.runs()} == {"queued"}
    runner.move("cleos", 0, actor="teacher")
    assert list(runner.expected_starts({})) == ["cleos", "anns", "bens"]
    runner.hold(False, actor="teacher")
    assert runner.wait("bens", 60)
    began = {
        run.id: next(t.at for t in store.transitions(run.id) if t.state == "running")
        for run in store.runs()
    }
    assert sorted(began, key=lambda run_id: began[run_id]) == ["cleos", "anns", "bens"]

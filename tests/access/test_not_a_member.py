"""The actor of a browser that is not in the class: all of the core refuses it, reading too."""

import ast
from collections.abc import Callable

import pytest

from gpt_core.access import (
    NOBODY,
    ClassRules,
    PermissionDenied,
    Roster,
    VisibleRuns,
    require_owner,
    require_read_access,
    require_teacher,
    write_rules,
)
from gpt_core.analysis import CachedStore
from gpt_core.export import delete_checkpoint, export_runs, weights_zip
from gpt_core.inference import ModelCache
from gpt_core.library import ModelLibrary, TextLibrary, delete_run, label_run, share_run
from gpt_core.model import build_model
from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import load_text
from tests.conftest import TINY, TINY_TRAINING
from tests.support.paths import ROOT

TEXT = load_text("counting")
PRESET = Preset("tiny", "Two layers.", TINY, TINY_TRAINING)
RUN = "anns"

# Each function of the core that names an actor, called as one who is not in the class. The run is
# on a public text: anyone in the class may read all of it.
CALLS: dict[str, Callable[[RunStore, TrainingRunner], object]] = {
    "write_rules": lambda s, _: write_rules(s, ClassRules(), actor=NOBODY),
    "Roster.issue_rejoin_code": lambda s, _: Roster(s).issue_rejoin_code("ann", actor=NOBODY),
    "Roster.set_open": lambda s, _: Roster(s).set_open(False, actor=NOBODY),
    "Roster.revoke": lambda s, _: Roster(s).revoke("ann", actor=NOBODY),
    "VisibleRuns.__init__": lambda s, _: VisibleRuns(
        CachedStore(s, fresh_seconds=lambda: 0.0), NOBODY
    ),
    "require_owner": lambda s, _: require_owner(s, RUN, NOBODY, "delete"),
    "require_read_access": lambda s, _: require_read_access(s, RUN, NOBODY, "export"),
    "require_teacher": lambda s, _: require_teacher(s, NOBODY, "set the rules"),
    "weights_zip": lambda s, _: weights_zip(s, s.checkpoints(RUN)[-1], "ours", actor=NOBODY),
    "delete_checkpoint": lambda s, _: delete_checkpoint(s, s.checkpoints(RUN)[-1], actor=NOBODY),
    "export_runs": lambda s, _: export_runs(
        s, [require_owner(s, RUN, "local", "")], "csv", actor=NOBODY
    ),
    "ModelCache.initial": lambda s, _: ModelCache().initial(s, RUN, actor=NOBODY),
    "ModelCache.checkpoint": lambda s, _: ModelCache().checkpoint(s, RUN, 1, actor=NOBODY),
    "ModelCache.library_model": lambda s, _: ModelCache().library_model(
        ModelLibrary(s), "a-key", actor=NOBODY
    ),
    "ModelCache.snapshot": lambda _, runner: ModelCache().snapshot(runner, RUN, actor=NOBODY),
    "ModelCache.last_snapshot": lambda s, _: ModelCache().last_snapshot(s, RUN, 1, actor=NOBODY),
    "ModelLibrary.models": lambda s, _: ModelLibrary(s).models(actor=NOBODY),
    "ModelLibrary.find": lambda s, _: ModelLibrary(s).find("a-key", actor=NOBODY),
    "ModelLibrary.load": lambda s, _: ModelLibrary(s).load("a-key", actor=NOBODY),
    "ModelLibrary.keep": lambda s, _: ModelLibrary(s).keep(
        build_model(TINY, 1), "a model", actor=NOBODY
    ),
    "ModelLibrary.entries": lambda s, _: ModelLibrary(s).entries(actor=NOBODY),
    "ModelLibrary.share": lambda s, _: ModelLibrary(s).share("a-key", True, actor=NOBODY),
    "ModelLibrary.delete": lambda s, _: ModelLibrary(s).delete("a-key", actor=NOBODY),
    "ModelLibrary.download": lambda s, _: ModelLibrary(s).download("124M", actor=NOBODY),
    "label_run": lambda s, _: label_run(s, RUN, "Mine", "", actor=NOBODY),
    "share_run": lambda s, _: share_run(s, RUN, True, actor=NOBODY),
    "delete_run": lambda s, _: delete_run(s, RUN, actor=NOBODY),
    "TextLibrary.__init__": lambda s, _: TextLibrary(s, actor=NOBODY),
    "TrainingRunner.start": lambda _, runner: runner.start(PRESET, TEXT, actor=NOBODY),
    "TrainingRunner.set_rules": lambda _, runner: runner.set_rules(ClassRules(), actor=NOBODY),
    "TrainingRunner.hold": lambda _, runner: runner.hold(True, actor=NOBODY),
    "TrainingRunner.move": lambda _, runner: runner.move(RUN, 0, actor=NOBODY),
    **{
        f"TrainingRunner.{name}": lambda _, runner, name=name: getattr(runner, name)(
            RUN, actor=NOBODY
        )
        for name in ("pause", "resume", "stop", "step", "checkpoint", "snapshot")
    },
}


def test_every_function_of_the_core_refuses_who_is_not_in_the_class(
    store: RunStore, runner: TrainingRunner
) -> None:
    assert runner.wait(runner.start(PRESET, TEXT, actor="ann", run_id=RUN), 60)
    before = sorted(path for path in store.runs_dir.rglob("*") if path.suffix != ".sqlite-wal")
    for name, call in CALLS.items():
        with pytest.raises(PermissionDenied, match="not in this class"):
            pytest.fail(f"{name} returned {call(store, runner)!r}")
    assert [run.id for run in store.runs()] == [RUN]
    assert not store.class_store.shared()
    now = sorted(path for path in store.runs_dir.rglob("*") if path.suffix != ".sqlite-wal")
    assert now == before


def test_the_table_above_names_every_function_that_takes_an_actor() -> None:
    public = {
        name
        for path in (ROOT / "gpt_core").rglob("*.py")
        for name in _functions_with_actor(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert public <= set(CALLS), sorted(public - set(CALLS))


def _functions_with_actor(tree: ast.AST, within: str = "") -> set[str]:
    """Return the public functions and methods with the keyword argument ``actor``."""
    found = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            found |= _functions_with_actor(node, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            is_public = node.name == "__init__" or not node.name.startswith("_")
            takes_actor = any(argument.arg == "actor" for argument in node.args.kwonlyargs)
            found |= {within + node.name} if is_public and takes_actor else set()
    return found

"""The same text, model or settings in two hands: what one shares opens nothing of the other's."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from gpt_core.access import PermissionDenied, VisibleRuns, require_owner, require_read_access
from gpt_core.analysis import CachedStore
from gpt_core.export import EXPORTS, export_runs, weights_zip
from gpt_core.inference import ModelCache
from gpt_core.library import ModelLibrary, TextLibrary, share_run
from gpt_core.model import build_model
from gpt_core.presets import Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import Corpus, load_text
from gpt_core.weights import InitialWeights
from tests.conftest import TINY, TINY_TRAINING

TEXT = Corpus("Diary", load_text("counting").text.replace("one", "eleven"))
PRIVATE = replace(TINY_TRAINING, num_epochs=1, start_context="my secret", probes=("my probe",))
PRESET = Preset("tiny", "Two layers.", TINY, PRIVATE)
OWNERS = ("ann", "ben")


@dataclass(frozen=True)
class Hands:
    """Ann and Ben, who have the same text and the same model, and a run each on them."""

    store: RunStore
    runner: TrainingRunner
    models: ModelLibrary
    model_key: str

    def share_text(self, holder: str, shared: bool = True, actor: str = "") -> None:
        library = TextLibrary(self.store, actor=actor or holder)
        owner = holder if holder in OWNERS else "local"
        [entry] = [e for e in library.entries() if e.owner == owner]
        library.share(entry, shared)

    def opens(self, run_id: str, reader: str) -> set[bool]:
        """Return whether each way into a run is open to a reader."""
        return {self._passes(look, run_id, reader) for look in WAYS_IN.values()}

    def _passes(self, look: "Look", run_id: str, reader: str) -> bool:
        try:
            return look(self, run_id, reader)
        except PermissionDenied:
            return False


Look = Callable[[Hands, str, str], bool]


def visible(hands: Hands, reader: str) -> VisibleRuns:
    return VisibleRuns(CachedStore(hands.store, fresh_seconds=lambda: 0.0), reader)


def shows_the_prompt(hands: Hands, run_id: str, reader: str) -> bool:
    run = visible(hands, reader).run(run_id)
    assert run is not None
    [summary] = [s for s in visible(hands, reader).summaries() if s.run.id == run_id]
    assert run == summary.run
    return "my secret" in str(run) and "my probe" in str(run) and run.text_sha256 == TEXT.sha256


def exports(form: str) -> Look:
    def export(hands: Hands, run_id: str, reader: str) -> bool:
        run = require_owner(hands.store, run_id, "local", "")
        return bool(export_runs(hands.store, [run], form, actor=reader)[1])

    return export


def last_step(hands: Hands, run_id: str) -> int:
    return hands.store.checkpoints(run_id)[-1].global_step


WAYS_IN: dict[str, Look] = {
    "the right": lambda h, run, who: bool(require_read_access(h.store, run, who, "look into")),
    "prompt and probes": shows_the_prompt,
    "predictions": lambda h, run, who: bool(visible(h, who).probes(run)),
    "samples": lambda h, run, who: bool(visible(h, who).history(run).recorded.samples),
    "checkpoints": lambda h, run, who: bool(visible(h, who).checkpoints(run)),
    "best checkpoint": lambda h, run, who: visible(h, who).best_checkpoint(run) is not None,
    "weights": lambda h, run, who: bool(
        ModelCache().checkpoint(h.store, run, last_step(h, run), actor=who)
    ),
    "exported weights": lambda h, run, who: bool(
        weights_zip(h.store, h.store.checkpoints(run)[-1], "ours", actor=who)
    ),
    **{f"export {form}": exports(form) for form, kind in EXPORTS.items() if not kind.is_curves},
}


@pytest.fixture
def hands(store: RunStore, runner: TrainingRunner) -> Hands:
    models = ModelLibrary(store)
    for who in (*OWNERS, "teacher"):
        TextLibrary(store, actor=who).keep(TEXT, "pasted")
    for who in OWNERS:
        entry = models.keep(build_model(TINY, 5), f"{who}'s model", actor=who)
        assert runner.wait(runner.start(PRESET, TEXT, actor=who, run_id=f"{who}s"), 60)
    return Hands(store, runner, models, entry.key)


Act = Callable[[Hands], object]
NEITHER: set[str] = set()

# What is shared, one act after another, and whose runs are then open to the class.
ACTS: dict[str, tuple[list[Act], set[str]]] = {
    "nothing": ([], NEITHER),
    "Ben's text": ([lambda h: h.share_text("ben")], {"bens"}),
    "Ann's text": ([lambda h: h.share_text("ann")], {"anns"}),
    "Ben's text, by the teacher": ([lambda h: h.share_text("ben", actor="teacher")], {"bens"}),
    "the teacher's text": ([lambda h: h.share_text("teacher")], {"anns", "bens"}),
    "both texts": (
        [lambda h: h.share_text("ann"), lambda h: h.share_text("ben")],
        {"anns", "bens"},
    ),
    "both, and Ann's no longer": (
        [
            lambda h: h.share_text("ann"),
            lambda h: h.share_text("ben"),
            lambda h: h.share_text("ann", False),
        ],
        {"bens"},
    ),
    "Ben's run": ([lambda h: share_run(h.store, "bens", True, actor="ben")], {"bens"}),
    "Ben's model": ([lambda h: h.models.share(h.model_key, True, actor="ben")], NEITHER),
}


@pytest.mark.parametrize("shared", ACTS)
def test_a_share_opens_only_the_runs_of_those_who_made_it(hands: Hands, shared: str) -> None:
    acts, expected = ACTS[shared]
    for act in acts:
        act(hands)
    for run_id, owner in (("anns", "ann"), ("bens", "ben")):
        for reader in ("ann", "ben", "cleo"):
            is_open = run_id in expected or reader == owner
            assert hands.opens(run_id, reader) == {is_open}, (run_id, reader)
        assert hands.opens(run_id, "teacher") == {True}


def test_a_live_run_is_copied_for_its_owner_alone_whatever_others_share(hands: Hands) -> None:
    hands.share_text("ben")
    share_run(hands.store, "bens", True, actor="ben")
    endless = replace(PRESET, training=replace(PRIVATE, num_epochs=500))
    run_id = hands.runner.start(endless, TEXT, actor="ann", run_id="anns-2")
    cache = ModelCache()
    with pytest.raises(PermissionDenied):
        cache.snapshot(hands.runner, run_id, actor="ben")
    copy = cache.snapshot(hands.runner, run_id, actor="ann")
    with pytest.raises(PermissionDenied):
        cache.last_snapshot(hands.store, run_id, copy.global_step, actor="ben")


def test_a_model_in_two_hands_is_shared_by_one_under_their_own_name(hands: Hands) -> None:
    with pytest.raises(PermissionDenied):
        hands.models.find(hands.model_key, actor="cleo")
    hands.models.share(hands.model_key, True, actor="ben")
    names = {
        who: [entry.name for entry in hands.models.models(actor=who)]
        for who in ("ann", "ben", "cleo")
    }
    assert names == {"ann": ["ann's model"], "ben": ["ben's model"], "cleo": ["ben's model"]}
    hands.models.delete(hands.model_key, actor="ben")
    with pytest.raises(PermissionDenied):
        ModelCache().library_model(hands.models, hands.model_key, actor="cleo")
    assert hands.models.load(hands.model_key, actor="ann")


def test_the_teacher_shares_and_deletes_the_entry_of_the_owner_they_chose(hands: Hands) -> None:
    models, key = hands.models, hands.model_key
    assert [e.owner for e in models.entries(actor="teacher")] == ["ann", "ben"]
    assert [e.owner for e in models.entries(actor="ann")] == ["ann"]
    models.share(key, True, actor="teacher", owner="ben")
    assert {e.owner: e.shared for e in models.entries(actor="teacher")} == {
        "ann": False,
        "ben": True,
    }
    models.delete(key, actor="teacher", owner="ben")
    assert [e.owner for e in models.entries(actor="teacher")] == ["ann"]
    assert models.load(key, actor="ann")
    with pytest.raises(ValueError, match="not here any more"):
        models.delete(key, actor="teacher", owner="ben")


def test_a_run_that_began_with_the_same_model_stays_its_owners(hands: Hands) -> None:
    hands.models.share(hands.model_key, True, actor="ben")
    hands.share_text("ann")
    initial = InitialWeights("a model", build_model(TINY, 5))
    run_id = hands.runner.start(PRESET, TEXT, actor="ann", run_id="begun", initial=initial)
    assert hands.runner.wait(run_id, 60)
    assert hands.opens(run_id, "ben") == {False}


def test_a_text_in_two_hands_is_read_by_those_who_hold_it_or_to_whom_one_shares_it(
    hands: Hands,
) -> None:
    def load(who: str) -> str:
        return TextLibrary(hands.store, actor=who).load(TEXT.sha256).text

    with pytest.raises(PermissionDenied):
        load("cleo")
    hands.share_text("ben")
    assert load("cleo") == TEXT.text
    assert [e.owner for e in TextLibrary(hands.store, actor="cleo").entries()] == ["ben"]
    hands.share_text("ben", False)
    with pytest.raises(PermissionDenied):
        load("cleo")


def test_who_deletes_a_text_hears_of_no_run_of_others(
    store: RunStore, runner: TrainingRunner
) -> None:
    for who in OWNERS:
        TextLibrary(store, actor=who).keep(TEXT, "pasted")
    for name in ("anns-1", "anns-2"):
        assert runner.wait(runner.start(PRESET, TEXT, actor="ann", run_id=name), 60)
    TextLibrary(store, actor="ann").delete(TEXT.sha256)  # Ben's copy stays
    assert runner.wait(runner.start(PRESET, TEXT, actor="ben", run_id="bens"), 60)
    with pytest.raises(ValueError, match=r"1 run used this text.*\(bens\)"):
        TextLibrary(store, actor="ben").delete(TEXT.sha256)

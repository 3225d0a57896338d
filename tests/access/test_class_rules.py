"""What a class's rules refuse to a student, and to nobody else."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from gpt_core.access import (
    CONTROLS,
    FIRST_LESSON,
    MEGABYTE,
    TEXTS,
    WEIGHTS,
    ClassRules,
    PermissionDenied,
    bytes_used,
    read_rules,
    require_allowed_run,
    seconds_left,
    student_seed,
)
from gpt_core.config import TrainingConfig
from gpt_core.library import ModelLibrary, TextLibrary, delete_run
from gpt_core.model import GPTModel, build_model, count_config_parameters
from gpt_core.presets import PRESETS, Preset
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import Corpus, load_text
from gpt_core.training import with_text_probe
from gpt_core.vocabularies import get_tokenizer
from gpt_core.weights import InitialWeights
from tests.conftest import TINY, TINY_TRAINING

TINY_PRESET = Preset("tiny", "Two layers.", TINY, TINY_TRAINING)
LONG = replace(TINY_TRAINING, num_epochs=500)
TEXT = load_text("counting")
OWN_TEXT = Corpus("Ann's own", TEXT.text.replace("one", "eleven"))
POCKET = PRESETS["pocket"]
ANN = "s-ann"


def check(
    rules: ClassRules,
    config: TrainingConfig = POCKET.training,
    preset: Preset = POCKET,
    begins_with_weights: bool = False,
) -> None:
    require_allowed_run(
        rules, preset, config, 100, 1000, begins_with_weights, "Count from one:", ANN
    )


def test_what_a_class_begins_with_allows_the_two_small_presets_alone() -> None:
    for preset in PRESETS.values():
        parameters = count_config_parameters(preset.model)
        asked = (preset, preset.training, 10**6, parameters, False, "", ANN)
        require_allowed_run(ClassRules(most_parameters=None), *asked)
        if preset.name in ("pocket", "minute"):
            require_allowed_run(ClassRules(), *asked)
            continue
        with pytest.raises(
            ValueError, match=f"{parameters:,} parameters, and .* at most 20,000,000"
        ):
            require_allowed_run(ClassRules(), *asked)


def test_each_student_has_a_seed_of_their_own_and_keeps_it() -> None:
    seeds = {student_seed(f"s-{number}") for number in range(30)}
    assert len(seeds) == 30
    assert seeds == {student_seed(f"s-{number}") for number in range(30)}
    assert 123 not in seeds


def test_a_run_of_too_many_steps_or_of_another_preset_is_refused() -> None:
    check(ClassRules(most_steps=100))
    with pytest.raises(
        ValueError, match=r"has 100 steps, and your teacher allows at most 99: choose a"
    ):
        check(ClassRules(most_steps=99))
    check(ClassRules(presets=("pocket",)))
    with pytest.raises(ValueError, match="pocket is not for this lesson: choose evening"):
        check(ClassRules(presets=("evening",)))
    with pytest.raises(ValueError, match="not for this lesson"):  # a made-up name is no way round
        check(ClassRules(hidden=("seed",)), preset=replace(POCKET, name="mine"))


@pytest.mark.parametrize(
    "change", [{"seed": 5}, {"batch_size": 4}, {"max_grad_norm": 1.0}, {"start_context": "You"}]
)
def test_a_hidden_setting_stays_as_in_the_preset(change: dict) -> None:
    rules = ClassRules(hidden=tuple(name for name in CONTROLS if name not in FIRST_LESSON))
    check(rules, replace(POCKET.training, num_epochs=3, learning_rate=1e-3))
    wider = replace(POCKET, model=replace(POCKET.model, n_layers=4))
    check(rules, preset=wider)
    with pytest.raises(ValueError, match=f"{next(iter(change))} stays as in the preset pocket"):
        check(rules, replace(POCKET.training, **change))
    check(rules, replace(POCKET.training, seed=student_seed(ANN)))
    check(rules, replace(POCKET.training, start_context="Count from one:"))  # the text's own
    with pytest.raises(ValueError, match="seed stays as in the preset pocket"):
        check(rules, replace(POCKET.training, seed=student_seed("s-ben")))
    with pytest.raises(ValueError, match="emb_dim stays"):
        check(rules, preset=replace(POCKET, model=replace(POCKET.model, emb_dim=64)))


def test_the_texts_own_probe_is_no_change_and_ones_own_are() -> None:
    rules = ClassRules(hidden=("probes",))
    tokenizer, length = get_tokenizer(), POCKET.model.context_length
    config = with_text_probe(POCKET.training, load_text("counting").text, tokenizer, length)
    check(rules, config)
    with pytest.raises(ValueError, match="probes stays"):
        check(rules, replace(config, probes=(*config.probes, "my own words")))


def test_weights_to_begin_with_can_be_hidden_and_fix_the_model_where_they_are_not() -> None:
    with pytest.raises(ValueError, match="begin with random weights"):
        check(ClassRules(hidden=(WEIGHTS,)), begins_with_weights=True)
    other = replace(POCKET, model=replace(POCKET.model, emb_dim=64))
    check(ClassRules(hidden=("emb_dim",)), preset=other, begins_with_weights=True)


@pytest.mark.parametrize(
    "fields",
    [{"most_runs": 0}, {"most_minutes": -1}, {"presets": ("gigantic",)}, {"hidden": ("nothing",)}],
)
def test_rules_that_make_no_sense_are_refused(fields: dict) -> None:
    with pytest.raises(ValueError, match=r"too small|not known"):
        ClassRules(**fields)


def test_rules_hold_over_a_restart_and_only_the_teacher_sets_them(store: RunStore) -> None:
    runner = TrainingRunner(store)
    rules = ClassRules(most_steps=7, presets=("pocket",), hidden=("seed",))
    with pytest.raises(PermissionDenied, match="Only the teacher may set the rules"):
        runner.set_rules(rules, actor="ann")
    assert runner.rules == ClassRules()
    runner.set_rules(rules, actor="teacher")
    runner.close()
    assert read_rules(store) == rules
    assert [row.actor for row in store.class_store.refusals()] == ["ann"]


def test_rules_of_another_version_are_passed_over(store: RunStore) -> None:
    store.class_store.add_rules({"most_steps": 7, "of tomorrow": True}, "teacher")
    assert read_rules(store) == ClassRules(most_steps=7)
    yesterdays = {"presets": ["pocket", "one of yesterday"], "hidden": ["seed", "gone"]}
    store.class_store.add_rules({"most_minutes": 9, **yesterdays}, "teacher")
    assert read_rules(store) == ClassRules(most_minutes=9, presets=("pocket",), hidden=("seed",))


def test_a_student_has_so_many_live_runs_and_no_more(store: RunStore) -> None:
    runner = TrainingRunner(store, threads=1, rules=ClassRules(most_runs=2))
    try:
        for seed in (1, 2):
            runner.start(
                TINY_PRESET, TEXT, replace(LONG, seed=seed), actor="ann", run_id=f"ann-{seed}"
            )
        with pytest.raises(ValueError, match="You have 2 runs waiting, training or paused"):
            runner.start(TINY_PRESET, TEXT, replace(LONG, seed=3), actor="ann")
        runner.start(TINY_PRESET, TEXT, LONG, actor="ben")  # others have their own share
        runner.stop("ann-2", actor="ann").result(30)
        runner.start(TINY_PRESET, TEXT, replace(LONG, seed=3), actor="ann")
        with pytest.raises(ValueError, match="each student may have"):
            runner.resume("ann-2", actor="ann")
        for seed in range(4, 9):  # who is alone on the machine has no share
            runner.start(TINY_PRESET, TEXT, replace(LONG, seed=seed), actor="local")
    finally:
        runner.close()


@pytest.mark.slow
def test_who_has_used_up_their_minutes_trains_no_longer_and_keeps_what_was_learnt(
    store: RunStore,
) -> None:
    class Timer:
        """A clock on which each look takes a second."""

        now = 0.0

        def __call__(self) -> float:
            self.now += 1.0
            return self.now

    runner = TrainingRunner(store, threads=1, timer=Timer())
    try:
        runner.start(TINY_PRESET, TEXT, LONG, actor="ann", run_id="anns")
        while not store.steps("anns"):
            time.sleep(0.02)
        runner.set_rules(
            ClassRules(most_minutes=1), actor="teacher"
        )  # also for what trains already
        assert runner.wait("anns", 60)
        run = store.run("anns")
        assert run is not None
        assert (run.state, run.message) == (
            "stopped",
            "The training time is used up.",
        )
        assert store.transitions("anns")[-1].actor == "teacher"
        last = store.last_steps("anns", 1)[0]
        assert store.checkpoints("anns")[-1].global_step == last.global_step
        assert seconds_left(store, runner.rules, "ann") <= 0
        assert seconds_left(store, runner.rules, "ben") == 60
        assert seconds_left(store, ClassRules(most_minutes=None), "ann") == math.inf
        for again in (
            lambda: runner.resume("anns", actor="ann"),
            lambda: runner.start(TINY_PRESET, TEXT, TINY_TRAINING, actor="ann"),
        ):
            with pytest.raises(ValueError, match="Your training time, 1 min, is used up"):
                again()
        runner.set_rules(ClassRules(most_minutes=None), actor="teacher")
        runner.resume("anns", actor="ann")
        assert not runner.wait("anns", 0.5)

        runner.pause("anns", actor="ann").result(30)
        runner.set_rules(ClassRules(most_minutes=1), actor="teacher")
        with pytest.raises(ValueError, match="Your training time, 1 min, is used up"):
            runner.step("anns", actor="ann").result(30)
        assert store.run("anns").state == "paused"  # type: ignore[union-attr]
        runner.stop("anns", actor="ann").result(30)
        left = seconds_left(store, runner.rules, "ann")
        delete_run(store, "anns", actor="ann")  # what it took is not given back
        assert seconds_left(store, runner.rules, "ann") == left < 0
    finally:
        runner.close()


def test_a_students_share_of_the_disk_holds_runs_texts_and_models(
    store: RunStore, tmp_path: Path
) -> None:
    rules = ClassRules(most_megabytes=4)
    library, models = TextLibrary(store, actor="ann", rules=rules), ModelLibrary(store)
    assert bytes_used(store, "ann") == 0
    card = library.keep(OWN_TEXT, "pasted")
    model: GPTModel = build_model(replace(TINY, emb_dim=8), 1)  # 3.2 MB
    kept = models.keep(model, "mine", actor="ann", rules=rules)
    assert bytes_used(store, "ann") == card.bytes + kept.bytes
    assert bytes_used(store, "ben") == 0
    with pytest.raises(ValueError, match=r"4 MB of the disk. You use 3\.\d MB, and this needs"):
        models.keep(build_model(replace(TINY, emb_dim=8), 2), "another", actor="ann", rules=rules)
    with pytest.raises(ValueError, match="MB of the disk"):
        library.keep(Corpus("long", "word " * 500_000), "pasted")
    runner = TrainingRunner(store, threads=1, rules=rules)
    try:
        with pytest.raises(ValueError, match="MB of the disk"):
            runner.start(TINY_PRESET, TEXT, TINY_TRAINING, actor="ann")
        run_id = runner.start(TINY_PRESET, TEXT, TINY_TRAINING, actor="teacher")
        assert runner.wait(run_id, 60)
    finally:
        runner.close()
    assert bytes_used(store, "teacher") > 3_000_000
    models.keep(build_model(replace(TINY, emb_dim=8), 2), "another", actor="teacher", rules=rules)


def test_texts_of_ones_own_can_be_hidden(store: RunStore) -> None:
    rules = ClassRules(hidden=(TEXTS,))
    with pytest.raises(ValueError, match="you cannot add a text"):
        TextLibrary(store, actor="ann", rules=rules).keep(OWN_TEXT, "pasted")
    TextLibrary(store, actor="teacher", rules=rules).keep(OWN_TEXT, "pasted")


def test_a_student_is_refused_before_anything_is_written(store: RunStore) -> None:
    runner = TrainingRunner(store, threads=1, rules=ClassRules(most_steps=1))
    try:
        with pytest.raises(ValueError, match="allows at most 1:"):
            runner.start(TINY_PRESET, TEXT, LONG, actor="ann")
        weights = InitialWeights("x", build_model(TINY, 1))
        runner.set_rules(ClassRules(hidden=(WEIGHTS,)), actor="teacher")
        with pytest.raises(ValueError, match="random weights"):
            runner.start(POCKET, TEXT, None, actor="ann", initial=InitialWeights("x", _pocket()))
        with pytest.raises(ValueError, match="not for this lesson"):
            runner.start(TINY_PRESET, TEXT, LONG, actor="ann", initial=weights)
    finally:
        runner.close()
    assert store.runs() == []


def _pocket() -> GPTModel:
    return build_model(POCKET.model, 1)


def at_once(actions: list[Callable[[], object]]) -> list[bool]:
    """Do all of them at the same moment, each in a thread; return which were not refused."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> bool:
        barrier.wait()
        try:
            action()
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def test_ten_requests_at_once_use_no_more_of_the_disk_than_one_after_another(
    store: RunStore,
) -> None:
    rules = ClassRules(most_megabytes=2)
    library = TextLibrary(store, actor=ANN, rules=rules)
    texts = [Corpus(f"{i}", f"{i} " * 150_000) for i in range(10)]  # 300 kB each
    kept = at_once([partial(library.keep, text, "pasted") for text in texts])
    assert sum(kept) == 6
    models, size = ModelLibrary(store), 4 * count_config_parameters(TINY)
    rules = ClassRules(most_megabytes=2 + math.ceil(2.5 * size / MEGABYTE))
    built = [build_model(TINY, seed) for seed in range(5)]
    at_once([partial(models.keep, m, "a model", actor=ANN, rules=rules) for m in built])
    assert rules.most_megabytes is not None
    assert 0 < bytes_used(store, ANN) <= rules.most_megabytes * MEGABYTE
    assert 0 < len(models.models(actor=ANN)) < 5


def test_ten_starts_at_once_are_as_many_runs_as_are_allowed(store: RunStore) -> None:
    runner = TrainingRunner(store, threads=1, rules=ClassRules(most_runs=3))
    try:
        configs = [replace(LONG, seed=seed) for seed in range(10)]
        starts = [partial(runner.start, TINY_PRESET, TEXT, c, actor=ANN) for c in configs]
        assert sum(at_once([lambda start=start: start() for start in starts])) == 3
        assert len(store.runs()) == 3
    finally:
        runner.close()


def test_every_student_has_a_disk_limit_unless_the_teacher_takes_it_away(store: RunStore) -> None:
    assert ClassRules().most_megabytes is not None
    assert read_rules(store).most_megabytes is not None

"""The pages in a class: what each of its members is shown, and what their clicks do."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime, session_keys
from dashboard.forms.model import LIBRARY
from gpt_core.access import (
    FIRST_LESSON,
    MEGABYTE,
    TIME_USED_UP,
    ClassRules,
    PermissionDenied,
    student_seed,
)
from gpt_core.library import TextLibrary
from gpt_core.model import build_model, count_config_parameters
from gpt_core.presets import PRESETS
from gpt_core.store import RunState
from gpt_core.weights import max_checkpoint_bytes
from tests.support.app_driver import (
    POCKET,
    button,
    choose,
    components,
    texts,
    wait_for_state,
)
from tests.support.lesson import CODE, HOSTILE, PASSPHRASE, SECRET, Class

pytestmark = pytest.mark.slow

Visit = Callable[..., AppTest]


@pytest.fixture
def lesson(own_runtime: None, monkeypatch: pytest.MonkeyPatch) -> Class:
    monkeypatch.setenv(runtime.CLASS_MODE, "1")
    monkeypatch.setenv(runtime.JOIN_CODE, CODE)
    monkeypatch.setenv(runtime.PASSPHRASE, PASSPHRASE)
    return Class(monkeypatch)


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


@pytest.mark.parametrize(
    "page", ["home", "runs", "loss", "data", "train", "generate", "weights", "inside"]
)
def test_every_page_comes_up_for_student_and_teacher(lesson: Class, page: str) -> None:
    lesson.train("Ann", SECRET)
    for name in ("Ann", "Ben", "Teacher"):
        app = lesson.visit(name, page, run="a-run")
        assert not app.exception
        if name == "Ben":
            shown = (
                texts(app) + str(components(app, "run_table")) + str(components(app, "sample_list"))
            )
            assert "heron" not in shown
            assert "diary" not in shown


def test_a_student_sees_of_anothers_private_run_the_curve_alone(lesson: Class) -> None:
    run_id = lesson.train("Ann", SECRET)
    app = lesson.visit("Ben", "train", run=run_id)
    assert components(app, "live_chart")
    assert not components(app, "sample_list")
    assert "its curves are for all" in texts(app)
    assert not {"Pause", "Resume", "Stop", "Write"} & set(labels(app))
    runs = lesson.visit("Ben", "runs", run=run_id)
    assert not {"Delete for good", "Save", "Run again with changes"} & set(labels(runs))
    assert "Download a-run.csv" in [b.proto.label for b in runs.get("download_button")]
    assert "Its checkpoints" not in texts(lesson.visit("Ben", "weights"))
    assert "No run has saved weights yet" in texts(lesson.visit("Ben", "weights"))


def test_an_address_shows_a_student_nothing_of_anothers_private_run_inside(lesson: Class) -> None:
    run_id = lesson.train("Ann", SECRET)
    app = lesson.visit("Ben", "inside", model=run_id, step="2", second=run_id)
    assert "The chosen model is not here any more" in texts(app)
    assert not components(app, "model_column")
    assert not components(app, "lens_table")
    assert components(lesson.visit("Ann", "inside", model=run_id), "model_column")


def test_its_owner_shows_the_class_what_a_run_writes_and_takes_it_back(lesson: Class) -> None:
    run_id = lesson.train("Ann", SECRET)
    app = lesson.visit("Ann", "train", run=run_id)
    toggle = next(t for t in app.toggle if t.label == "Share this run with the class")
    assert not toggle.value
    toggle.set_value(True).run()
    assert components(lesson.visit("Ben", "train", run=run_id), "sample_list")
    app = lesson.visit("Teacher", "train", run=run_id)
    next(t for t in app.toggle if t.label == "Share this run with the class").set_value(False).run()
    assert not components(lesson.visit("Ben", "train", run=run_id), "sample_list")


def test_a_run_on_a_text_of_the_app_has_nothing_to_share(lesson: Class) -> None:
    run_id = lesson.train("Ann")
    assert not lesson.visit("Ann", "train", run=run_id).toggle
    assert components(lesson.visit("Ben", "train", run=run_id), "sample_list")


def test_no_two_students_train_the_same_model_by_pressing_homes_button(lesson: Class) -> None:
    runtime.get_runner().hold(True, actor="local")
    said = "in a class each student has a seed of their own"
    runs = {}
    for name in ("Ann", "Ben", "Teacher"):
        app = lesson.visit(name)
        assert (said in texts(app)) == (name != "Teacher")
        button(app, "Train a small GPT now").click().run()
        assert not app.exception
        runs[name] = runtime.get_store().latest_run()
        runtime.get_runner().stop(runs[name].id, actor="local").result(timeout=30)
    seeds = {name: run.training_config.seed for name, run in runs.items()}
    assert seeds == {
        **{name: student_seed(lesson.id(name)) for name in ("Ann", "Ben")},
        "Teacher": 123,  # as the chapter
    }
    assert seeds["Ann"] != seeds["Ben"]
    assert f"Your seed is {seeds['Ann']}: in a class" in texts(lesson.visit("Ann"))
    app = lesson.visit("Teacher", "train", run=runs["Ann"].id)
    titles = [text.value for text in app.main.text]
    assert "minute on Simple stories (from a grammar) · Ann" in titles  # not "changed"


def test_a_student_finds_their_seed_in_the_form_and_may_change_it(lesson: Class) -> None:
    runtime.get_runner().set_rules(ClassRules(most_parameters=None), actor="teacher")
    seed = student_seed(lesson.id("Ann"))
    open_settings = {session_keys.OTHER_SETTINGS: True}
    app = lesson.visit("Ann", "train", state=open_settings)
    assert f"Your seed is {seed}: in a class" in texts(app)
    assert "that two students' models differ; you can change it in the settings on Train." in texts(
        app
    )
    field = next(field for field in app.number_input if field.label == "seed")
    assert field.value == seed
    assert "Changed from pocket" not in texts(app)
    field.set_value(123).run()
    assert "Changed from pocket: seed." in texts(app)
    choose(
        app, "Model and training", "book-124m"
    )  # whose losses are the chapter's, digit for digit
    assert "a seed of their own" not in texts(app)
    app = lesson.visit("Teacher", "train", state=open_settings)
    assert next(field for field in app.number_input if field.label == "seed").value == 123


def test_a_text_is_its_owners_until_they_share_it(lesson: Class) -> None:
    TextLibrary(runtime.get_store(), actor=lesson.id("Ann")).keep(SECRET, "pasted")

    def offered(name: str, state: dict | None = None) -> str:
        app = lesson.visit(name, "data", state=state).run()
        return str(next(box for box in app.selectbox if box.label == "Text").options)

    assert "diary.txt" in offered("Ann")
    assert "diary.txt" not in offered("Ben")
    assert "diary.txt" not in offered("Teacher")
    assert "diary.txt · 2.04 kB · Ann" in offered("Teacher", {session_keys.SHOWS_PRIVATE: True})
    app = lesson.visit("Ann", "data")
    next(toggle for toggle in app.toggle if toggle.label == "For the class").set_value(True).run()
    assert "diary.txt · 2.04 kB · Ann" in offered("Ben")
    assert "Delete for good" not in labels(lesson.visit("Ben", "data"))
    app = lesson.visit("Ann", "data")
    button(app, "Delete for good").click().run()
    assert "diary.txt" not in offered("Ben")


def test_a_model_that_is_shared_no_longer_writes_nothing_on_a_page_that_shows_it(
    lesson: Class,
) -> None:
    models, ann = runtime.get_models(), lesson.id("Ann")
    key = models.keep(build_model(POCKET.model, 1), "mine", actor=ann).key
    models.share(key, True, actor=ann)
    app = lesson.visit("Ben", "generate", state={session_keys.WALK_MODEL: f"{LIBRARY}{key}"})
    models.share(key, False, actor=ann)
    button(app, "Write").click().run()
    assert "This model is not yours" in app.toast[0].value
    assert session_keys.WRITTEN not in app.session_state


def test_the_teacher_shares_and_deletes_the_chosen_one_of_two_same_models(lesson: Class) -> None:
    models, ann, ben = runtime.get_models(), lesson.id("Ann"), lesson.id("Ben")
    for who in (ann, ben):
        key = models.keep(build_model(POCKET.model, 1), "mine", actor=who).key
    shows = {session_keys.SHOWS_PRIVATE: True}

    def owners() -> dict[str, bool]:
        return {e.owner: e.shared for e in models.entries(actor="teacher")}

    app = lesson.visit("Teacher", "weights", state=shows)
    next(t for t in app.toggle if t.key == f"share {key} {ben}").set_value(True).run()
    assert owners() == {ann: False, ben: True}
    app = lesson.visit("Teacher", "weights", state=shows)
    next(b for b in app.button if b.key == f"delete {key} {ben}").click().run()
    assert not app.exception
    assert owners() == {ann: False}


def test_the_sidebar_shows_a_student_their_own_run(lesson: Class) -> None:
    runtime.get_runner().hold(True, actor="local")
    lesson.start("Ann", run_id="anns")
    lesson.start("Ben", run_id="bens")
    for name, other in (("Ann", "Ben"), ("Ben", "Ann")):
        app = lesson.visit(name)
        shown = [caption.value for caption in app.sidebar.caption]
        assert "Your run" in shown
        assert not any(other in text.value for text in app.sidebar.text)
        assert "which the teacher is holding for now" in str(shown)
    app = lesson.visit(HOSTILE)
    assert "Current run" in [caption.value for caption in app.sidebar.caption]
    assert any(text.value.endswith("· Ann") for text in app.sidebar.text)
    assert not app.sidebar.button
    assert "Train a small GPT now" in labels(app)  # though others' runs wait


def test_who_was_sent_out_sees_a_sentence_and_nothing_else(lesson: Class) -> None:
    app = lesson.visit("Teacher", "classroom")
    choose(app, "Who", "Ben")
    button(app, "Remove").click().run()
    app = lesson.visit("Ben", "train")
    assert [title.value for title in app.title] == ["You are not in this class any more"]
    assert not labels(app)
    boxes = {box.label: box for box in lesson.visit("Teacher", "classroom").selectbox}
    assert "Ben" not in boxes["Who"].options
    assert "Ben" in boxes["For whom"].options  # with a new rejoin code he may return


def test_the_teacher_sees_who_is_where_and_students_do_not(lesson: Class) -> None:
    lesson.train("Ann")
    lesson.visit("Ann", "tokens")
    app = lesson.visit("Teacher", "classroom")
    [table] = app.dataframe
    row = table.value.iloc[0]
    assert (row["Student"], row["Page"], row["State"]) == ("Ann", "Tokens", "finished")
    assert len(components(app, "live_chart")) == 1
    assert any(
        entry["heading"] == "Ann" for d in components(app, "sample_list") for entry in d["entries"]
    )
    app = lesson.visit("Ben", "classroom")
    assert not app.dataframe
    assert not {"Hold the queue", "Remove", "Save rules"} & set(labels(app))
    assert len(components(app, "live_chart")) == 1


def test_a_student_is_told_by_whom_their_run_was_paused_or_stopped(lesson: Class) -> None:
    runner = runtime.get_runner()
    runner.hold(True, actor="local")
    run_id = lesson.start("Ann")
    for action, said in ((runner.pause, "Paused by the teacher."), (runner.stop, "Stopped by the")):
        app = lesson.visit("Ann", "train", run=run_id)
        assert said not in texts(app)
        action(run_id, actor="teacher").result(timeout=30)
        for name in ("Ann", "Ben"):
            assert said in texts(lesson.visit(name, "train", run=run_id))
        assert "Resume" not in labels(app := lesson.visit("Ann", "train", run=run_id))
        assert "One step" not in labels(app)
        for action in (runner.resume, runner.step):
            with pytest.raises(PermissionDenied, match="Your teacher paused or stopped this run"):
                action(run_id, actor=lesson.id("Ann"))
    assert "Resume" in labels(lesson.visit("Teacher", "train", run=run_id))
    runner.resume(run_id, actor="teacher").result(timeout=30)
    runner.stop(run_id, actor=lesson.id("Ann")).result(timeout=30)
    assert "Stopped by" not in texts(lesson.visit("Ann", "train", run=run_id))  # by herself
    store = runtime.get_store()  # as the runner records it
    store.set_state(run_id, RunState.STOPPED, "teacher", TIME_USED_UP)
    shown = texts(lesson.visit("Ann", "train", run=run_id))
    assert TIME_USED_UP in shown
    assert "Stopped by" not in shown


def test_everyone_in_a_class_sees_who_they_are_and_how_to_leave(lesson: Class) -> None:
    limits = ClassRules(most_minutes=10, most_megabytes=500)
    runtime.get_runner().set_rules(limits, actor="teacher")
    lesson.train("Ann")
    for name, shown in (("Ann", "Ann · student"), ("Teacher", "Teacher"), (HOSTILE, HOSTILE)):
        side = lesson.visit(name).sidebar
        assert any(text.value.startswith(shown) for text in side.text)
        assert any('href="leave"' in element.proto.body for element in side.get("html"))
        left = [caption.value for caption in side.caption if "Left for you" in caption.value]
        assert bool(left) == (name != "Teacher")
        if name == HOSTILE:
            everything = "10 min 00 s of 10 minutes of training and 500 MB of 500 MB of disk"
            assert left == [f"Left for you: {everything}."]
        if name == "Ann":
            assert " 500 MB of 500 MB" not in left[0]  # her run's checkpoints


def test_a_student_sees_their_rejoin_code_until_the_teacher_issues_another(lesson: Class) -> None:
    own = lesson.roster.rejoin_code(lesson.tokens["Ann"])
    assert own is not None
    assert [code.value for code in lesson.visit("Ann").sidebar.code] == [f"Ann\n{own}"]
    assert not lesson.visit("Teacher").sidebar.code
    app = lesson.visit("Teacher", "classroom")
    assert not app.main.code
    choose(app, "For whom", "Ann")
    button(app, "Issue a code").click().run()
    [issued] = [code.value.removeprefix("Ann\n") for code in app.main.code]
    assert issued != own
    with pytest.raises(ValueError, match="The join code is wrong"):
        lesson.roster.join("Ann", own, "there")
    returned = lesson.roster.who(lesson.roster.join("Ann", issued, "there"))
    assert returned is not None
    assert returned.id == lesson.id("Ann")
    app = lesson.visit("Ann")
    assert not app.sidebar.code
    assert "Your teacher has issued a newer rejoin code" in texts(app)


def test_what_a_teacher_projects_names_and_quotes_no_private_text(lesson: Class) -> None:
    run_id = lesson.train("Ann", SECRET)
    lesson.train("Ben", run_id="bens")
    for name in ("Ann", "Ben"):
        lesson.visit(name, "classroom")

    def shown(app: AppTest) -> str:
        assert not app.exception
        return f"{texts(app)} {components(app, 'sample_list')} {[d.value for d in app.dataframe]}"

    wall = lesson.visit("Teacher", "classroom")
    projected = lesson.visit("Teacher", "train", run=run_id, projector="1")
    others = [
        lesson.visit("Teacher", page, run=run_id)
        for page in ("train", "loss", "data", "runs", "weights", "generate", "home", "inside")
    ]
    for app in (wall, projected, *others):
        assert not {word for word in ("heron", "diary", "Dear") if word in shown(app)}
    assert "its curves are for all" in shown(projected)
    assert [d["entries"][0]["heading"] for d in components(wall, "sample_list")] == ["Ben"]

    assert not [e for e in wall.expander if e.label.startswith("Private")]
    assert "1 private sample not shown" in texts(wall)
    shows = {session_keys.SHOWS_PRIVATE: True}
    for query, is_there in (({}, True), ({"projector": "1"}, False)):
        app = lesson.visit("Teacher", "train", state=shows, run=run_id, **query).run()
        assert bool(components(app, "sample_list")) == is_there
    assert not components(lesson.visit("Teacher", "train", run=run_id), "sample_list")
    state = shows | {session_keys.PRIVATE_SAMPLES: True}
    wall = lesson.visit("Teacher", "classroom", state=state).run()
    [fold] = [e for e in wall.expander if e.label.startswith("Private")]
    assert fold.label == "Private, not for the projector: 1"
    opened = [d["entries"][0]["heading"] for d in components(wall, "sample_list")]
    assert opened == ["Ben", "Ann"]
    assert not [
        e for e in lesson.visit("Ben", "classroom").expander if e.label.startswith("Private")
    ]

    app = lesson.visit("Ann", "train", run=run_id)  # she shares it: then it may be projected
    next(t for t in app.toggle if t.label == "Share this run with the class").set_value(True).run()
    projected = lesson.visit("Teacher", "train", run=run_id, projector="1")
    assert components(projected, "sample_list")
    headings = [
        entry["heading"]
        for d in components(lesson.visit("Teacher", "classroom"), "sample_list")
        for entry in d["entries"]
    ]
    assert headings == ["Ann", "Ben"]


def test_names_are_text_wherever_they_stand(lesson: Class) -> None:
    run_id = lesson.train(HOSTILE)
    lesson.visit(HOSTILE, "train")
    for page in ("classroom", "train", "runs"):
        app = lesson.visit("Teacher", page, run=run_id)
        shown = (
            [*app.markdown, *app.caption, *app.title, *app.header, *app.badge]
            if hasattr(app, "badge")
            else [*app.markdown, *app.caption, *app.title, *app.header]
        )
        assert not any("onerror" in str(element.value) for element in shown)
        assert not any("onerror" in e.proto.body for e in app.get("html"))
        if page == "classroom":
            [chart] = components(app, "live_chart")
            assert "&lt;img" in chart["figure"]["data"][0]["name"]


def test_the_teacher_closes_the_class_to_new_students(lesson: Class) -> None:
    ann, teacher = lesson.visit("Ann", "classroom"), lesson.visit("Teacher", "classroom")
    assert "No more joins" not in labels(ann)
    assert "joined in the last half minute." in " ".join(text.value for text in teacher.main.text)
    button(teacher, "No more joins").click().run()
    assert not lesson.roster.is_open
    button(teacher, "Let students join").click().run()
    assert lesson.roster.is_open


def test_the_teacher_holds_the_queue_and_puts_a_run_first(lesson: Class) -> None:
    app = lesson.visit("Teacher", "classroom")
    button(app, "Hold the queue").click().run()
    assert runtime.get_runner().is_held
    lesson.start("Ann", run_id="anns")
    lesson.start("Ben", run_id="bens")
    app = lesson.visit("Teacher", "classroom")
    [_, next_button] = [b for b in app.main.button if b.label == "Next"]
    next_button.click().run()
    assert list(runtime.get_runner().expected_starts({})) == ["bens", "anns"]
    assert [t.value for t in app.main.text if re.match(r"\d\. ", t.value)] == [
        "1. pocket, changed, on Counting (a tiny pattern) · Ben",
        "2. pocket, changed, on Counting (a tiny pattern) · Ann",
    ]
    seen = lesson.visit("Ann", "classroom")
    assert "Your teacher holds the queue" in texts(seen)
    assert "2. pocket, changed, on Counting (a tiny pattern) (yours)" in texts(seen)
    assert labels(seen).count("Stop") == 2  # of her own run: in the queue and beside it
    button(app, "Release the queue").click().run()  # as Ann, from the teacher's page
    assert runtime.get_runner().is_held
    button(lesson.visit("Teacher", "classroom"), "Release the queue").click().run()
    wait_for_state("anns", "finished")


def test_the_teacher_sets_rules_and_a_student_finds_them_in_the_form(lesson: Class) -> None:
    app = lesson.visit("Teacher", "classroom")
    app.button_group(key=f"rule-how-{hash(ClassRules())}").set_value("Three settings").run()
    rules = runtime.get_runner().rules
    assert set(rules.hidden).isdisjoint(FIRST_LESSON)
    field = next(f for f in app.number_input if f.label == "Minutes of training")
    field.set_value(10)
    button(app, "Save rules").click().run()
    assert runtime.get_runner().rules == replace(rules, most_minutes=10)
    assert "10 min 00 s of 10 minutes" in texts(lesson.visit("Ben", "classroom"))
    form = lesson.visit("Ben", "train")
    assert {f.label for f in form.number_input} == set(FIRST_LESSON)
    assert not [box.label for box in form.selectbox if "Weights" in box.label]
    assert "Measure how long it takes" not in labels(form)
    assert "Use your own text" not in [e.label for e in lesson.visit("Ben", "data").expander]
    assert "All settings" in [e.label for e in lesson.visit("Teacher", "train").expander]
    assert "everyone trains on one of these texts" in texts(lesson.visit("Ben", "data"))


def test_choosing_the_shown_settings_keeps_rules_that_are_not_saved_yet(lesson: Class) -> None:
    app = lesson.visit("Teacher", "classroom")

    def presets():
        return next(box for box in app.multiselect if box.label.startswith("Presets"))

    before = presets().key  # a widget that stays the same keeps in a browser what is not sent yet
    how = f"rule-how-{hash(runtime.get_runner().rules)}"
    app.button_group(key=how).set_value("Three settings").run()
    assert presets().key == before
    presets().set_value(["pocket"])
    button(app, "Save rules").click().run()
    assert runtime.get_runner().rules.presets == ("pocket",)
    assert presets().key != before


def test_a_student_is_told_that_a_run_takes_longer_than_their_time(lesson: Class) -> None:
    long = {"setting-num_epochs-pocket": 5000}
    assert "it would be stopped before its end" in texts(lesson.visit("Ben", "train", state=long))
    runtime.get_runner().set_rules(ClassRules(most_minutes=None), actor="teacher")
    assert "before its end" not in texts(lesson.visit("Ben", "train", state=long))


def test_a_student_is_offered_settings_for_the_time_that_is_left_within_the_rules(
    lesson: Class,
) -> None:
    def offered(app: AppTest) -> list[str]:
        found = [group for group in app.button_group if "time you have" in group.label]
        return [option for group in found for option in group.options]

    text = {
        session_keys.TEXT: "simple-stories",
        session_keys.TIME: "3 minutes",
        session_keys.START: True,
    }
    for page in ("train", "data"):
        assert offered(lesson.visit("Ben", page)) == ["3 minutes"]  # of ten
        assert len(offered(lesson.visit("Teacher", page))) == 3
    app = lesson.visit("Ben", "train", state=text)
    button(app, "Start training").click().run()
    assert not app.exception
    free = runtime.get_store().latest_run()
    assert free is not None
    assert (free.preset, free.owner) == ("3 minutes", lesson.id("Ben"))
    assert free.training_config.seed == student_seed(lesson.id("Ben"))
    runtime.get_runner().stop(free.id, actor="teacher").result(30)

    fewer = count_config_parameters(free.model_config) - 1  # than the smallest model has
    runtime.get_runner().set_rules(ClassRules(most_parameters=fewer), actor="teacher")
    app = lesson.visit("Ben", "train", state=text)
    assert f"The smallest model has more than the {fewer:,} parameters" in texts(app)
    assert not button(app, "Start training").disabled  # with the preset
    for rules in (ClassRules(presets=("pocket",)), ClassRules(hidden=("n_layers",))):
        runtime.get_runner().set_rules(rules, actor="teacher")
        assert offered(lesson.visit("Ben", "train", state=text)) == []
        assert offered(lesson.visit("Teacher", "train", state=text)) != []


def test_a_preset_that_is_not_for_the_lesson_is_not_offered(lesson: Class) -> None:
    rules = ClassRules(presets=("evening",), most_parameters=None)
    runtime.get_runner().set_rules(rules, actor="teacher")
    app = lesson.visit("Ben", "train")
    box = next(box for box in app.selectbox if box.label == "Model and training")
    assert box.options == ["evening"]
    app = lesson.visit("Teacher", "train")
    box = next(box for box in app.selectbox if box.label == "Model and training")
    assert box.options == list(PRESETS)


def test_home_starts_what_the_lesson_allows(lesson: Class) -> None:
    rules = ClassRules(presets=("pocket",))
    runtime.get_runner().set_rules(rules, actor="teacher")
    app = lesson.visit("Ben")
    assert "Learn a story by heart" not in labels(app)  # the one button starts it
    button(app, "Train a small GPT now").click().run()
    assert not app.exception
    run = runtime.get_store().latest_run()
    assert run is not None
    assert (run.preset, run.text_name) == ("pocket", "The Lamp Room (a short story)")


def test_a_new_class_offers_what_a_laptop_bears_and_says_why(lesson: Class) -> None:
    for name, offered in (("Ben", ["pocket", "minute"]), ("Teacher", list(PRESETS))):
        app = lesson.visit(name, "train")
        assert next(b for b in app.selectbox if b.label == "Model and training").options == offered
    shown = texts(lesson.visit("Teacher", "classroom"))
    pocket = PRESETS["pocket"]
    kept = max_checkpoint_bytes(pocket.model, pocket.training.keep_epochs)
    assert f"needs up to {kept / 1e6:.0f} MB" in shown
    assert f"{count_config_parameters(pocket.model) / 1e6:.0f} million parameters" in shown
    rules = ClassRules()
    limit = f"the limit of {rules.most_parameters / 1e6:.0f} million allows pocket and minute alone"
    assert limit in shown
    paused = 270e6  # a whole checkpoint and the weights of two steps
    assert rules.most_megabytes * MEGABYTE >= 2 * paused + kept  # the third is not refused


def test_a_refusal_of_the_rules_is_a_sentence(lesson: Class) -> None:
    runtime.get_runner().set_rules(ClassRules(most_steps=3), actor="teacher")
    app = lesson.visit("Ben")
    button(app, "Train a small GPT now").click().run()
    assert not app.exception
    assert re.search(
        r"This run has [\d,]+ steps, and your teacher allows at most 3: choose a lower num_epochs",
        texts(app),
    )
    assert runtime.get_store().runs() == []

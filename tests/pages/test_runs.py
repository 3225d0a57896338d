"""The Runs page: what is chosen, laid side by side, named, deleted, run again, taken away."""

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime, session_keys
from gpt_core.export import EXPORTS, RECORDED_RUN, import_recorded_run
from gpt_core.library import TextLibrary, label_run
from gpt_core.model import resolve_auto
from gpt_core.presets import PRESETS
from gpt_core.store import RunState
from gpt_core.text import Corpus, load_text
from tests.conftest import TINY, TINY_TRAINING
from tests.support.app_driver import (
    ROOT,
    TIMEOUT,
    button,
    components,
    open_app,
    start_pocket_run,
    texts,
)
from tests.support.curves import keep_chapter_run

pytestmark = pytest.mark.usefixtures("own_runtime")
HOSTILE = "<img src=x onerror=alert(1)> **bold** $x$ :red[r]"
POCKET = PRESETS["pocket"]


def keep_runs(**rates: float) -> None:
    """Write down finished runs of the chapter's model, each with its learning rate."""
    for run_id, rate in rates.items():
        losses = {0: (9.8, 9.9), 40: (4.0 + rate, 6.0 + rate), 85: (0.5, 6.4)}
        keep_chapter_run(runtime.get_store(), run_id, losses, learning_rate=rate)


def open_runs(*run_ids: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "main.py"), default_timeout=TIMEOUT).run()
    app.switch_page("pages/runs.py")
    if run_ids:
        app.query_params[session_keys.RUN] = list(run_ids)
    app.run()
    assert not app.exception
    return app


def rows(app: AppTest) -> list[dict]:
    return components(app, "run_table")[0]["rows"]


def test_an_empty_store_says_where_a_run_starts() -> None:
    app = open_runs()
    assert "Nothing has been trained yet." in texts(app)
    assert not components(app, "run_table")


def test_all_runs_are_listed_the_newest_first_and_nothing_is_chosen() -> None:
    keep_runs(first=4e-4, second=1e-3)
    app = open_runs()
    assert [row["id"] for row in rows(app)] == ["second", "first"]
    assert rows(app)[0]["lowest"] == 6.001
    assert not app.header


def test_the_address_of_a_run_opens_it_and_of_several_lays_them_side_by_side() -> None:
    keep_runs(first=4e-4, second=1e-3, third=2e-3)
    one = open_runs("second")
    assert components(one, "run_table")[0]["chosen"] == ["second"]
    assert [b.label for b in one.main.button][:1] == ["Run again with changes"]
    assert "Open" in [link.proto.label for link in one.get("page_link")]
    app = open_runs("third", "first")
    assert components(app, "run_table")[0]["chosen"] == ["third", "first"]
    assert app.header[0].value == "2 runs side by side"
    figure = components(app, "live_chart")[0]["figure"]
    assert [trace["name"] for trace in figure["data"]] == ["third", "first"]


def test_the_table_shows_just_the_settings_in_which_the_chosen_runs_differ() -> None:
    keep_runs(first=4e-4, second=1e-3)
    (table,) = open_runs("first", "second").dataframe
    assert list(table.value.columns) == [
        "Run",
        "Lowest validation",
        "Last training",
        "Bits per byte",
        "learning_rate",
    ]
    assert table.value["learning_rate"].tolist() == [4e-4, 1e-3]
    assert table.value["Lowest validation"].tolist() == [6.0004, 6.001]


def test_runs_that_were_set_up_alike_are_said_to_be() -> None:
    keep_runs(first=4e-4, second=4e-4)
    assert "They have the same text, settings and machine" in texts(open_runs("first", "second"))


def test_a_choice_in_the_table_goes_into_the_address() -> None:
    keep_runs(first=4e-4, second=1e-3)
    app = open_runs()
    revision = components(app, "run_table")[0]["revision"]
    app.session_state[session_keys.RUN_TABLE] = {
        "answer": {"revision": revision, "chosen": ["first"]}
    }
    app.run()
    assert app.query_params[session_keys.RUN] == "first"
    assert "Export" in [heading.value for heading in app.header]


def test_an_address_that_was_changed_since_holds_against_an_older_choice() -> None:
    keep_runs(first=4e-4, second=1e-3)
    app = open_runs("first")
    revision = components(app, "run_table")[0]["revision"]
    answer = {"answer": {"revision": revision, "chosen": ["first", "second"]}}
    app.session_state[session_keys.RUN_TABLE] = answer
    app.query_params[session_keys.RUN] = ["second"]
    app.run()
    assert components(app, "run_table")[0]["chosen"] == ["second"]
    assert components(app, "run_table")[0]["revision"] > revision


def test_a_run_that_is_not_there_is_said_not_to_be() -> None:
    keep_runs(first=4e-4)
    app = open_runs("nobody", "first")
    assert "There is no run nobody" in texts(app)
    assert components(app, "run_table")[0]["chosen"] == ["first"]


def test_the_recorded_runs_address_works_where_nobody_has_opened_it_yet() -> None:
    app = open_runs(RECORDED_RUN)
    assert components(app, "run_table")[0]["chosen"] == [RECORDED_RUN]


def test_a_link_to_a_run_opens_it_whatever_page_it_names() -> None:
    keep_runs(first=4e-4, second=1e-3)
    app = open_app(run="first")
    assert app.title[0].value == "Train"
    assert app.query_params[session_keys.RUN] == "first"


def test_a_run_is_named_and_the_name_stands_wherever_the_run_does() -> None:
    keep_runs(first=4e-4)
    app = open_runs("first")
    next(field for field in app.text_input if field.label == "Name").input(HOSTILE)
    next(field for field in app.text_area if field.label == "Note").input("a *note*")
    button(app, "Save").click().run()
    run = runtime.get_store().run("first")
    assert run is not None
    assert (run.name, run.note) == (HOSTILE, "a *note*")
    assert HOSTILE in [text.value for text in app.text]  # as text, nowhere as markup
    assert "a *note*" in [text.value for text in app.text]
    assert not any("onerror" in element.value for element in (*app.markdown, *app.caption))
    train = open_app("train", run="first")
    assert HOSTILE in [text.value for text in train.text]
    assert any("book-124m" in text.value and "The Verdict" in text.value for text in train.text)


def test_deleting_is_confirmed_and_leaves_the_others() -> None:
    keep_runs(first=4e-4, second=1e-3, third=2e-3)
    app = open_runs("first", "third")
    assert "2 runs with curves, samples and 0 checkpoints" in texts(app)
    assert len(runtime.get_store().runs()) == 3
    button(app, "Delete for good").click().run()
    assert [run.id for run in runtime.get_store().runs()] == ["second"]
    assert [row["id"] for row in rows(app)] == ["second"]
    assert session_keys.RUN not in app.query_params
    assert "There is no run" not in texts(app)


def test_a_live_run_cannot_be_deleted_and_says_what_to_do() -> None:
    run_id = start_pocket_run(1)
    app = open_runs(run_id)
    assert f"Still live: {run_id}. Stop what is live first" in texts(app)
    assert "Delete for good" not in [b.label for b in app.main.button]


def test_every_form_is_offered_with_what_reads_it() -> None:
    keep_runs(first=4e-4)
    app = open_runs("first")
    for form, export in EXPORTS.items():
        app.button_group(key=session_keys.EXPORT).set_value(form).run()
        assert export.opens_in in texts(app)
        assert not app.exception


def test_a_text_that_is_lost_is_said_to_be_instead_of_a_failing_download() -> None:
    keep_runs(first=4e-4)  # its text was never kept
    app = open_runs("first")
    assert [b.label for b in app.get("download_button")] == ["Download first.csv"]
    app.button_group(key=session_keys.EXPORT).set_value("text").run()
    assert not app.get("download_button")
    assert "first: The text that the run was trained on is missing" in texts(app)


def test_the_recorded_run_that_was_deleted_stays_away_until_it_is_asked_for() -> None:
    store = runtime.get_store()
    import_recorded_run(store)
    other = open_app("train", run=RECORDED_RUN)  # stays open
    button(open_runs(RECORDED_RUN), "Delete for good").click().run()
    other.run()
    assert store.runs() == []
    button(open_app(), "Watch a recorded run, 10 × as fast").click().run()
    assert [run.id for run in store.runs()] == [RECORDED_RUN]


def test_what_somebody_else_wrote_is_not_undone_by_an_open_form() -> None:
    keep_runs(first=4e-4)
    app = open_runs("first")
    label_run(runtime.get_store(), "first", "Alpha", "theirs", actor="local")
    app.run()
    next(field for field in app.text_area if field.label == "Note").input("mine")
    button(app, "Save").click().run()
    run = runtime.get_store().run("first")
    assert run is not None
    assert (run.name, run.note) == ("Alpha", "mine")


# Run again with changes


def again(run_id: str) -> AppTest:
    app = open_runs(run_id)
    button(app, "Run again with changes").click().run()
    assert app.title[0].value == "Train"
    # As the browser goes on from here; a kept value is one run late here after a page switch.
    return app.switch_page("pages/train.py").run().run()


def test_run_again_fills_the_form_with_all_that_the_run_was_set_up_with() -> None:
    store = runtime.get_store()
    own = Corpus("mine.txt", "The boats came home, one by one. " * 60)
    store.save_text(own.text, own.sha256)
    training = replace(
        POCKET.training,
        num_epochs=3,
        learning_rate=1e-3,
        max_grad_norm=2,  # a whole number, as from a terminal
        stride=32,
        schedule="cosine",
        train_ratio=0.8,
        precision="float32",
        probes=(*POCKET.training.probes, "a lamp in the window"),
    )
    model = replace(POCKET.model, n_layers=2, drop_rate=0.0, qkv_bias=True)
    store.add_run(
        "run", "ada", "pocket", model, training, own.name, own.sha256, 400, 40, 18, {"torch": "x"}
    )
    store.set_state("run", RunState.FINISHED, "ada")
    app = again("run")
    assert TextLibrary(store, actor="local").load(own.sha256) == own  # it can be chosen again
    assert "Filled in with the settings of run run." in texts(app)
    button(app, "Start training").click().run()
    (new,) = [r for r in store.runs() if r.id != "run"]
    runtime.get_runner().stop(new.id, actor="local").result(timeout=60)
    assert new.model_config == model
    assert replace(new.training_config, probes=()) == replace(training, probes=())
    assert set(training.probes) <= set(new.training_config.probes)
    assert (new.text_name, new.text_sha256) == (own.name, own.sha256)


def test_run_again_without_changes_reports_none() -> None:
    store, text = runtime.get_store(), load_text("counting")
    store.save_text(text.text, text.sha256)
    assert POCKET.training.precision == "auto"
    training = resolve_auto(POCKET.training)  # as the runner does
    training = replace(training, start_context="Count from one:")  # as the form does
    store.add_run(
        *("run", "ada", "pocket", POCKET.model, training, text.name, text.sha256, 900, 100, 20),
        {"torch": "x"},
    )
    store.set_state("run", RunState.FINISHED, "ada")
    assert "Changed from pocket" not in texts(again("run"))


def test_run_again_takes_settings_that_the_form_alone_would_not() -> None:
    store = runtime.get_store()
    text = load_text("counting")
    store.save_text(text.text, text.sha256)
    training = replace(
        TINY_TRAINING,
        num_epochs=200_000,
        batch_size=100,
        eval_freq=200_000,
        train_ratio=0.3,
        seed=2**63 - 1,
        probes=("two\nlines", "a good row", *(f"row number {i}" for i in range(5)), "x"),
    )
    store.add_run(
        "run", "ada", "pocket", TINY, training, text.name, text.sha256, 9, 9, 9, {"torch": "x"}
    )
    store.set_state("run", RunState.FINISHED, "ada")
    app = again("run")
    app.session_state["other_settings"] = True
    app.run()
    values = {field.label: field.value for field in app.number_input}
    assert (values["num_epochs"], values["batch_size"]) == (200_000, 100)
    assert values["seed"] == 123
    assert next(s.value for s in app.slider if s.label == "train_ratio") == 0.3
    assert "Its seed 9223372036854775807 is too large for the form" in texts(app)
    assert "Left out of its rows of text: 4. The form takes 4" in texts(app)


def test_run_again_without_the_text_says_so_and_stays() -> None:
    keep_runs(first=4e-4)  # its text was never kept
    app = open_runs("first")
    button(app, "Run again with changes").click().run()
    assert app.title[0].value == "Runs"
    assert "missing or damaged" in app.toast[0].value


def test_of_the_recorded_run_too_one_can_go_on_from() -> None:
    import_recorded_run(runtime.get_store())
    label_run(runtime.get_store(), RECORDED_RUN, "ours", "", actor="local")
    app = again(RECORDED_RUN)
    boxes = {box.label: box.value for box in app.selectbox}
    assert (boxes["Model and training"], boxes["Text"]) == ("book-124m", "the-lamp-room")

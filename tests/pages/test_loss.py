"""The Loss page: BRIEF's numbers as they are shown, every model, and rows that mean no good."""

import inspect
import math
import re

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime
from dashboard.forms.rows import parse_rows
from dashboard.loss.contents import CONTENTS, OWN_ROWS
from gpt_core.export import import_recorded_run
from gpt_core.model import loss_in_one_call, loss_walkthrough
from tests.support.app_driver import (
    chips,
    components,
    finish,
    html,
    metric,
    open_app,
    start_pocket_run,
    texts,
)

pytestmark = pytest.mark.usefixtures("own_runtime")

SMALL_MODEL = {"walk_model": "pocket"}


def enter_rows(app, rows: str):
    next(box for box in app.text_area if box.label == "Rows, one per line").set_value(rows).run()
    assert not app.exception
    return app


@pytest.mark.slow
def test_the_chapters_whole_walk_is_on_the_page() -> None:
    app = open_app("loss")
    assert "162,419,712 parameters" in texts(app)
    shown = texts(app)

    rows = chips(app, "Inputs and targets")
    assert rows["ids"] == [
        *(16833, 3626, 6100, 3626, 6100, 345),
        *(40, 1107, 588, 1107, 588, 11311),
    ]
    assert "inputs, targets: (2, 3)" in shown
    assert "logits: (2, 3, 50257)" in shown
    predicted = chips(app, "The most probable token")
    assert predicted["ids"] == [16657, 339, 42826, 49906, 29669, 41751]
    assert "Row 1 reads: “ Armed heNetflix”" in shown

    targets = chips(app, "Target tokens and their probabilities")
    assert targets["second_line"] == [
        *("p11 7.454e-05", "p12 3.106e-05", "p13 1.156e-05"),
        *("p21 1.034e-05", "p22 5.678e-05", "p23 4.756e-06"),
    ]
    assert "y11 = 3626, rank 258" in targets["details"][0]
    assert "-9.5042, -10.3796, -11.3677, -11.4798, -9.7764, -12.2561" in shown
    formulas = "\n".join(formula.value for formula in app.latex)
    assert r"= {} & -10.7940" in formulas
    assert r"\log p_{11} + \log p_{12}" in formulas
    assert metric(app, "Loss") == "10.7940"
    assert metric(app, "Six steps")[:7] == metric(app, "One call")[:7] == "10.7939"
    assert "logits_flat: (6, 50257) · targets_flat: (6,)" in shown
    assert "Equal, as far as float32 can tell." in shown
    assert float(metric(app, "Perplexity").replace(",", "")) == pytest.approx(48725.9, abs=1)
    assert metric(app, "Vocabulary, V") == "50,257"
    assert metric(app, "ln V") == "10.825"


def test_a_model_that_nobody_keeps_any_more_is_chosen_anew() -> None:
    def page() -> None:
        import streamlit as st

        from dashboard.loss.walk_section import show_walk
        from gpt_core.model import build_model
        from tests.conftest import TINY

        if "before" in st.session_state:
            show_walk(lambda: build_model(TINY, seed=1))
        else:
            st.session_state["before"] = True
            show_walk(lambda: None)
            st.text("was drawn")

    app = AppTest.from_function(page, default_timeout=60).run()
    assert not app.exception
    assert "was drawn" not in texts(app)
    assert metric(app, "Prediction tasks") == "6"


def test_a_model_that_was_taken_back_answers_no_edit() -> None:
    def page() -> None:
        from dashboard.loss.walk_section import show_walk

        def fetch() -> None:
            raise ValueError("This model is not yours, and its owner does not share it.")

        show_walk(fetch)

    app = AppTest.from_function(page, default_timeout=60).run()
    assert not app.exception
    assert not app.metric
    assert "This model is not yours" in texts(app)
    assert [box.label for box in app.text_area] == ["Rows, one per line"]


def test_each_step_has_its_formula_and_its_lines_of_the_core() -> None:
    opened = {f"code-{name}": True for name in ("loss_walkthrough", "loss_in_one_call")}
    app = open_app("loss", state=SMALL_MODEL | opened)
    assert len(app.latex) == 12  # inputs, six steps, argmax, one call, perplexity, two entropies
    source = inspect.getsource(loss_walkthrough)
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    shown = [block.value for block in app.code]
    for name in (
        *("logits", "probas", "predicted_ids", "target_probas", "log_probas"),
        *("mean_log_proba", "loss"),
    ):
        line = next(line for line in lines if line.startswith(f"{name} = "))
        assert any(line in block for block in shown), name
    assert source.strip() in shown
    assert inspect.getsource(loss_in_one_call).strip() in shown


def test_the_slips_of_circulating_notes_are_pointed_out() -> None:
    shown = html(open_app("loss", state=SMALL_MODEL))
    for words in (
        "rows are two batches",
        "“The logits are a tensor of probabilities.”",
        "printed for the second",
        "minus signs between the logarithms",
        "10.77",
        "without its leading minus",
    ):
        assert words in shown


def test_notes_on_the_chapters_misprints_are_shown_only_beside_its_rows() -> None:
    shown = html(enter_rows(open_app("loss", state=SMALL_MODEL), "one two three"))
    for words in ("rows are two batches", "printed for the second", "10.77"):
        assert words not in shown
    assert "“The logits are a tensor of probabilities.”" in shown  # not about their rows


def test_each_link_of_the_contents_leads_to_a_heading_in_the_pages_order() -> None:
    for query, last in (({}, OWN_ROWS), ({"run": "a-run"}, CONTENTS[-1])):
        app = open_app("loss", state=SMALL_MODEL, **query)
        links = re.findall(r'<li><a href="#([^"]+)">', html(app))
        assert links == [header.proto.anchor for header in app.header]
        assert app.header[len(links) - 1].value == last


def test_a_row_that_is_too_short_leaves_the_others_their_numbers_and_their_loss() -> None:
    app = enter_rows(open_app("loss", state=SMALL_MODEL), "one two three\na\nfive six seven")
    assert "Row 2 has 1 token: give it 2 to" in texts(app)
    targets = chips(app, "Target tokens and their probabilities")
    assert [line.split()[0] for line in targets["second_line"]] == ["p11", "p12", "p31", "p32"]
    assert "Row 3 reads:" in texts(app)
    assert float(metric(app, "Loss")) > 0


def test_an_edit_is_walked_through_at_once() -> None:
    app = enter_rows(open_app("loss", state=SMALL_MODEL), "one two three four\nfive six")
    targets = chips(app, "Target tokens and their probabilities")
    assert [line.split()[0] for line in targets["second_line"]] == ["p11", "p12", "p13", "p21"]
    assert "have the target -100 and do not count" in texts(app)
    probas = [float(line.split()[1]) for line in targets["second_line"]]
    loss = -sum(math.log(p) for p in probas) / 4
    assert float(metric(app, "Loss")) == pytest.approx(loss, abs=1e-3)
    assert "Equal, as far as float32 can tell." in texts(app)


def test_the_top_ten_and_the_rank_of_a_position_can_be_chosen() -> None:
    app = open_app("loss", state=SMALL_MODEL)
    box = next(box for box in app.selectbox if box.label == "Show position")
    box.select_index(5).run()
    data = next(d for d in components(app, "live_chart") if "at p23" in d["description"])
    names = data["figure"]["data"][0]["y"]
    assert len(names) == 11
    assert names[-1].endswith("·chocolate (target)")
    rank = app.dataframe[0].value["rank"][5]
    assert names[-1].startswith(f"{rank:,}. ")
    assert f"has rank {rank:,}" in texts(app)


def test_a_run_can_be_looked_into_now_and_at_its_checkpoints() -> None:
    run_id = start_pocket_run()
    app = open_app("loss", run=run_id)  # its address chooses it
    now = metric(app, "Loss")
    step = app.session_state[f"snapshot-{run_id}"]
    assert metric(app.run(), "Loss") == now  # the copy stays until another is asked for
    runtime.get_runner().checkpoint(run_id, actor="local").result(timeout=30)
    next(b for b in app.main.button if b.label == "Take a new copy").click().run()
    assert app.session_state[f"snapshot-{run_id}"] > step
    assert metric(app, "Loss") != now
    finish(run_id)
    app.run()
    assert not app.exception
    when = next(box for box in app.selectbox if box.label == "When")
    *steps, untrained = when.options
    assert untrained == "before its first update"
    assert all(option.startswith("at step") for option in steps)
    when.select_index(len(steps) - 1).run()
    assert not app.exception
    assert metric(app, "Loss")


def test_a_link_to_a_run_chooses_it_also_after_another_was_chosen() -> None:
    run_id = start_pocket_run(1)
    finish(run_id)
    app = open_app("loss", state=SMALL_MODEL)
    model = next(box for box in app.selectbox if box.label == "Model")
    assert model.value == "pocket"
    app.query_params["run"] = run_id
    app.run()
    model = next(box for box in app.selectbox if box.label == "Model")
    assert model.value == run_id
    model.select("pocket").run()  # and then the choice is the user's again
    assert next(box for box in app.selectbox if box.label == "Model").value == "pocket"


def test_only_presets_with_gpt_2s_vocabulary_are_offered_untrained() -> None:
    app = open_app("loss", state=SMALL_MODEL)
    model = next(box for box in app.selectbox if box.label == "Model")
    untrained = {option for option in model.options if option.startswith("Untrained")}
    named = {f"Untrained {name}, seed 123" for name in ("book-124m", "evening", "pocket")}
    assert untrained == named  # minute would have to learn its byte pairs first


def test_a_run_stays_chosen_when_it_pauses_and_when_it_ends() -> None:
    run_id = start_pocket_run()
    app = open_app("loss", run=run_id)
    loss = metric(app, "Loss")
    assert "a copy at step" in texts(app)
    runtime.get_runner().pause(run_id, actor="local").result(timeout=30)
    app.run()
    app.slider[0].set_value(0.5).run()
    assert next(box for box in app.selectbox if box.label == "Model").value == run_id
    assert metric(app, "Loss") == loss
    finish(run_id)
    app.run()
    assert next(box for box in app.selectbox if box.label == "Model").value == run_id
    assert "Another moment is shown" in texts(app)


def test_the_position_stays_when_its_words_are_edited() -> None:
    app = open_app("loss", state=SMALL_MODEL)
    next(box for box in app.selectbox if box.label == "Show position").select_index(1).run()
    for rows in ("now the second line differs", "and once more it does"):
        enter_rows(app, rows)
        words = rows.split()
        assert f"After “{' '.join(words[:2])}” the target is “·{words[2]}”" in texts(app)


def test_a_run_without_weights_is_not_offered_and_a_link_to_it_says_why() -> None:
    store = runtime.get_store()
    recorded = import_recorded_run(store)
    run_id = start_pocket_run(1)
    runtime.get_runner().pause(run_id, actor="local").result(timeout=30)
    for row in store.checkpoints(run_id):
        store.remove_checkpoint(row.id)
    offered = offered_models(open_app("loss", state=SMALL_MODEL))
    assert any(option.endswith(run_id) for option in offered)  # live: its model can be copied
    assert not any(option.endswith(recorded) for option in offered)
    finish(run_id)
    for row in store.checkpoints(run_id):
        store.remove_checkpoint(row.id)
    offered = offered_models(open_app("loss", state=SMALL_MODEL))
    assert not any(option.endswith((run_id, recorded)) for option in offered)
    assert "none of its weights are saved" in texts(open_app("loss", run=run_id))

    app = open_app("loss", run=recorded)
    assert "comes with the app as a recording, without its weights" in texts(app)
    assert "18 evaluations" in texts(app)  # its own probabilities are there
    next(box for box in app.selectbox if box.label == "Model").select("pocket").run().run()
    assert not any(option.endswith(recorded) for option in offered_models(app))


def offered_models(app: AppTest) -> list[str]:
    return next(box for box in app.selectbox if box.label == "Model").options


def test_both_cross_entropies_are_one_with_two_classes_and_differ_with_three() -> None:
    app = open_app("loss", state=SMALL_MODEL)
    assert "**The same number, 0.3567.**" in texts(app)
    sliders = {slider.label: slider for slider in app.slider}
    sliders["p, given to “yes”"].set_value(0.25).run()
    assert f"**The same number, {-math.log(0.25):.4f}.**" in texts(app)
    sliders = {slider.label: slider for slider in app.slider}
    sliders["Classes"].set_value(3).run()
    assert f"−log 0.250 = {-math.log(0.25):.4f}" in texts(app)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "There is no row"),
        (" \n\t\n", "There is no row"),
        ("a", "Row 1 has 1 token: give it 2 to 17"),
        ("fine here\n" + "word " * 30, "Row 2 has 31 tokens: give it 2 to 17"),
        ("two words\n" * 9, "9 rows are too many: keep up to 8"),
        ("x" * 10_001, "Row 1 has 10,001 characters"),
    ],
)
def test_rows_that_cannot_be_walked_are_refused_in_words(rows: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_rows(rows)


def test_a_refused_row_leaves_the_rest_of_the_page() -> None:
    app = enter_rows(open_app("loss", state=SMALL_MODEL), "word " * 30)
    assert "Row 1 has 31 tokens" in texts(app)
    assert "The same number" in texts(app)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows",
    [
        "<script>alert(1)</script>",
        "$x$ `y` **z** [a](b)",
        "🙂🙃 مرحبا",
        "<|endoftext|> and on",
        "\n".join(["a b c d e f g h i j k l m n o p q"] * 8),
    ],
)
def test_any_rows_leave_the_page_whole(rows: str) -> None:
    app = enter_rows(open_app("loss", state=SMALL_MODEL), rows)
    assert float(metric(app, "Loss")) > 0
    assert "<script>alert" not in html(app)

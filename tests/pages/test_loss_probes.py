"""The probes of a run, over its evaluations, as the Loss page shows them."""

import time

import pytest

from dashboard.app import runtime
from dashboard.forms import own_probes
from dashboard.loss.probe_history import probe_frame
from gpt_core.store import StoredProbe
from gpt_core.text import load_text
from gpt_core.vocabularies import get_tokenizer
from tests.support.app_driver import (
    button,
    chips,
    components,
    finish,
    open_app,
    start_pocket_run,
    texts,
)

pytestmark = pytest.mark.usefixtures("own_runtime")


def test_one_drags_through_the_evaluations_and_sees_the_probabilities_move() -> None:
    run_id = start_pocket_run(12)
    finish(run_id)
    probes = runtime.get_store().probes(run_id)
    app = open_app("loss", run=run_id)
    label = "Target tokens of “every effort moves you”"

    def shown() -> list[float]:
        return [float(line.split()[1]) for line in chips(app, label)["second_line"]]

    def recorded(step: int) -> list[float]:
        row = next(r for r in probes if r.global_step == step and r.probe == 0)
        return list(row.target_probas)

    steps = sorted({row.global_step for row in probes})
    assert shown() == pytest.approx(recorded(steps[-1]), rel=0.06, abs=0.0006)
    next(s for s in app.select_slider if s.label == "At step").set_value(steps[0]).run()
    assert not app.exception
    assert shown() == pytest.approx(recorded(steps[0]), rel=0.06, abs=0.0006)
    assert recorded(steps[0]) != recorded(steps[-1])
    lines = components(app, "live_chart")[0]  # a run's link shows its rows first
    assert [line["name"] for line in lines["figure"]["data"]] == [
        *("p11 ·effort", "p12 ·moves", "p13 ·you")
    ]
    assert f"over {len(steps)} evaluations" in lines["description"]


@pytest.mark.slow
def test_the_newest_evaluation_is_shown_until_one_chooses_another() -> None:
    run_id = start_pocket_run(12)
    app = open_app("loss", run=run_id)

    def slider():
        return next(s for s in app.select_slider if s.label == "At step")

    def wait_for_another() -> None:
        known = len(slider().options)
        while len({r.global_step for r in runtime.get_store().probes(run_id)}) <= known:
            time.sleep(0.05)
        app.run()

    wait_for_another()
    assert f"{slider().value:,}" == slider().options[-1]
    slider().set_value(0).run()
    wait_for_another()
    assert slider().value == 0
    finish(run_id)


def test_a_line_of_the_text_and_rows_of_ones_own_are_asked_about() -> None:
    app = open_app("train", state={"other_settings": True})
    box = next(box for box in app.text_area if box.label.startswith("Rows of your own"))
    box.set_value("one two three four\n<b>five six</b>").run()
    button(app, "Start training").click().run()
    assert not app.exception
    run = runtime.get_store().latest_run()
    assert run is not None
    probes = run.training_config.probes
    assert probes[:4] == (
        *("every effort moves you", "I really like chocolate"),
        *("one two three four", "<b>five six</b>"),
    )
    assert probes[4] in load_text("the-lamp-room").text
    finish(run.id)


@pytest.mark.parametrize(
    ("entered", "message"),
    [
        ("one two\n" * 5, "5 rows are too many: keep up to 4"),
        ("word " * 40, "Row 1 has 41 tokens"),
        ("a", "Row 1 has 1 token"),
    ],
)
def test_rows_of_ones_own_that_cannot_be_asked_are_refused(entered: str, message: str) -> None:
    app = open_app("train", state={"other_settings": True})
    box = next(box for box in app.text_area if box.label.startswith("Rows of your own"))
    box.set_value(entered).run()
    assert not app.exception
    assert message in texts(app)
    assert button(app, "Start training").disabled


def test_rows_of_ones_own_may_be_none_and_count_once() -> None:
    assert own_probes(" \n", 64) == ()
    assert own_probes("one two\none two", 64) == ("one two",)


def test_without_a_run_the_history_says_what_to_do() -> None:
    app = open_app("loss", state={"walk_model": "pocket"})
    assert "Start a run on the Train page" in texts(app)


def test_in_another_vocabulary_a_row_is_as_long_as_its_characters() -> None:
    row = "夏天的早上，小猫在山上画了一本新书。"  # 18 characters
    with pytest.raises(ValueError, match=r"Row 1 has 3\d tokens"):
        own_probes(row, 64)
    assert own_probes(f"{row}\n{row}\n猫", 64, "bpe") == (row, "猫")
    with pytest.raises(ValueError, match="Row 2 has 34 characters: give it 33 or fewer"):
        own_probes("one\n" + 34 * "x", 64, "characters")


def test_a_frame_has_a_row_per_token_and_evaluation() -> None:
    rows = [
        StoredProbe(step, 1, 64, 1, 9.0, (0.1, 0.2, 0.3), (1, 2, 3), id=step + 1, seconds=1.0)
        for step in (0, 5)
    ]
    frame = probe_frame(rows, "I really like chocolate", 2, get_tokenizer())
    assert len(frame) == 6
    assert frame["name"].tolist()[:3] == ["p21 ·really", "p22 ·like", "p23 ·chocolate"]

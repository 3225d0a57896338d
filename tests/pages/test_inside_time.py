"""Time on the page Inside, and the strip on Train: what forms in a model while it learns."""

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime
from dashboard.charts import probability_strength
from gpt_core.analysis import attention_of, telling_head
from gpt_core.presets import Preset
from gpt_core.records import InsideRecord, StepRecord
from gpt_core.store import RunState
from gpt_core.text import Corpus, load_text
from tests.conftest import TINY, TINY_TRAINING
from tests.support.app_driver import button, chips, components, open_app, texts
from tests.support.insides import inside_record
from tests.support.stored_runs import add_run

pytestmark = pytest.mark.usefixtures("own_runtime")

TRAINING = replace(
    TINY_TRAINING, num_epochs=1, eval_freq=4, vocabulary="characters", record_inside=True
)
RECORDED = Preset("pocket", "Two layers.", TINY, TRAINING)


def trained_run() -> str:
    runner = runtime.get_runner()
    text = Corpus("counting.txt", load_text("counting").text[:1_500])
    run_id = runner.start(RECORDED, text, actor="local")
    assert runner.wait(run_id, timeout=120)
    return run_id


def chart(app: AppTest, description: str) -> dict:
    return next(c for c in components(app, "live_chart") if description in c["description"])


def test_one_moves_through_the_recorded_moments_and_sees_each() -> None:
    run_id = trained_run()
    records = runtime.get_store().inside(run_id)
    assert len(records) > 3
    app = open_app("inside", run=run_id)
    [bar] = components(app, "seek_bar")
    assert bar["names"] == [f"step {record.global_step:,}" for record in records]
    assert bar["step"] == len(records) - 1  # the newest at first
    for number in (0, 2):
        app.query_params["moment"] = str(records[number].global_step)
        app.run()
        assert not app.exception
        assert components(app, "seek_bar")[0]["step"] == number
        layer, head, *_ = telling_head(records[number])
        *_, maps = components(app, "attention_maps")  # the model's as it is now, and these
        assert maps["chosen"] == layer * TINY.n_heads + head
        for i, row in enumerate(attention_of(records[number], TINY)[layer, head]):
            np.testing.assert_allclose(maps["weights"][i], row[: i + 1], atol=1e-4)
        lens = chart(app, f"The logit lens after step {records[number].global_step:,}:")
        assert lens["figure"]["data"][0]["text"]
    heads = chart(app, "How much each head looks at what followed")["figure"]["data"]
    assert len(heads) == TINY.n_layers * TINY.n_heads + 1  # and the validation loss
    updates = chart(app, "last update")["figure"]["data"]
    assert {line["name"] for line in updates} >= {"tok_emb", "trf_blocks.1.att", "out_head"}

    button(app, "Play").click().run()
    for number in range(3, len(records)):
        assert components(app, "seek_bar")[0]["step"] == number
        app.run()
    assert app.query_params["moment"] == str(records[-1].global_step)
    assert button(app, "Play")  # it has come to its end


def show_recorded(record: InsideRecord) -> AppTest:
    """Open the page with a run that recorded this moment alone."""
    store = runtime.get_store()
    add_run(store)
    store.add_records("a-run", [(record, 0.5)])
    store.set_state("a-run", RunState.FINISHED, "ada")
    return open_app("inside", run="a-run")


def test_what_is_wrong_is_said() -> None:
    still, jumping, *others = inside_record().parts
    wrong = replace(
        inside_record(),
        parts=(
            still._replace(update_to_weight=1e-7),
            jumping._replace(update_to_weight=0.5),
            *others,
        ),
        silent_units=(0.0, 0.9),
    )
    shown = texts(show_recorded(wrong))
    assert "Does not learn: tok_emb. The last update was 1e-07 of the weights at most" in shown
    assert "Jumps: trf_blocks.0.att. The last update was up to 50% of the weights" in shown
    assert "Dead units: block 1. Up to 90%" in shown
    assert "gradients:" not in shown


def test_a_healthy_moment_is_said_to_be_so() -> None:
    app = show_recorded(inside_record(induction=0.75))
    assert "Nothing looks wrong at this moment." in texts(app)
    assert "Head 1.0 looks at what followed the equal token, 0.75" in texts(app)


def test_a_run_without_moments_says_why() -> None:
    store = runtime.get_store()
    add_run(store)
    store.set_state("a-run", RunState.FINISHED, "ada")
    shown = texts(open_app("inside", run="a-run"))
    assert (
        "has no moments to look at. It was not asked for: the setting record_inside is off" in shown
    )


def test_train_shows_the_last_moment_in_a_strip_and_in_a_replay_that_of_then() -> None:
    store = runtime.get_store()
    add_run(store)
    for step, score in ((0, 0.25), (5, 0.75)):
        store.add_records("a-run", [(StepRecord(step, 1, 8, 9.0, 1.0, 4e-4), step + 0.1)])
        store.add_records("a-run", [(inside_record(step, induction=score), step + 0.2)])
    store.set_state("a-run", RunState.FINISHED, "ada")
    app = open_app("train", run="a-run")
    assert "After step 5 head 1.0 looks at what followed the equal token, 0.75." in texts(app)
    assert chart(app, "Attention of head 1.0 after step 5")
    shown = chips(app, "A line of the text")
    assert shown["ids"] == [11, 12, 13]
    assert shown["second_line"] == ['" 0.500'] * 3  # token 1 of GPT-2's
    assert shown["strengths"] == [probability_strength(0.5)] * 3
    app.query_params["replay"] = "step-4,10"
    app.run()
    assert not app.exception
    assert "After step 0 head 0.0 looks at no one place yet" in texts(app)

"""Text in colour, on the Inside page: whole texts, two models, and the token that is taken."""

import math
from dataclasses import replace

import pytest
import torch
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime, session_keys
from dashboard.inside.text_in_colour import Losses, coloured, text_up_to, tokens_before
from gpt_core.config import TrainingConfig
from gpt_core.inspection import token_losses
from gpt_core.model import GPTModel, build_model
from gpt_core.text import load_text
from gpt_core.training import encode_splits
from gpt_core.vocabularies import get_tokenizer, read_vocabulary, text_to_token_ids
from tests.conftest import TINY
from tests.support.app_driver import (
    button,
    components,
    finish,
    metric,
    open_app,
    start_pocket_run,
    texts,
    wait_for_state,
)
from tests.support.finished_runs import finished_run, model_of, steps_of
from tests.support.lesson import CODE, PASSPHRASE, SECRET, Class

pytestmark = pytest.mark.usefixtures("own_runtime")


def tokens_of(model: GPTModel, part: int, length: int = 500) -> torch.Tensor:
    text = load_text("counting").text
    tokenizer = read_vocabulary(model.vocabulary)
    return encode_splits(text, tokenizer, TrainingConfig())[part][:length].long()


def decoded(model: GPTModel, ids: torch.Tensor) -> str:
    return read_vocabulary(model.vocabulary).decode(ids.tolist())


def open_inside(run_id: str, **state) -> AppTest:
    return open_app("inside", state={"walk_model": run_id, **state})


def coloured_text(app: AppTest) -> dict:
    return next(data for data in components(app, "running_text") if "texts" in data)


def as_text(data: dict) -> str:
    return "".join(data["texts"]).replace("↵\n", "↵").replace("↵", "\n")


def snippets(app: AppTest) -> list[dict]:
    return next(d["snippets"] for d in components(app, "running_text") if "snippets" in d)


def test_each_token_of_the_runs_own_text_has_the_colour_of_its_loss() -> None:
    run_id = finished_run()
    app = open_inside(run_id)
    model = model_of(run_id)
    ids = tokens_of(model, 0)
    losses = token_losses(model, ids)
    data = coloured_text(app)
    assert as_text(data) == decoded(model, ids)
    expected = (losses / math.log(300)).clamp(0, 1)
    assert data["strengths"][0] == 0.0
    assert data["strengths"][1:] == pytest.approx(expected.tolist(), abs=1e-3)
    assert "loss" not in data["details"][0].split(":")[0]
    assert data["details"][1].startswith(f"loss {losses[0]:.3f}")
    assert metric(app, "Mean loss") == f"{losses.mean():.3f}"
    assert "training part, tokens 1 to 500 of" in texts(app)


def test_the_worst_tokens_are_listed_with_the_words_around_them() -> None:
    run_id = finished_run()
    app = open_inside(run_id)
    model = model_of(run_id)
    losses = token_losses(model, tokens_of(model, 0))
    worst = losses.topk(10)
    listed = snippets(app)
    assert [snippet["position"] for snippet in listed] == (worst.indices + 1).tolist()
    assert [snippet["note"] for snippet in listed] == [f"{loss:.2f}" for loss in worst.values]


def test_the_validation_part_has_its_own_tokens_and_colour() -> None:
    run_id = finished_run()
    trained = coloured_text(open_inside(run_id))
    app = open_inside(run_id, inside_part="Validation part", inside_length=250)
    model = model_of(run_id)
    ids = tokens_of(model, 1, 250)
    data = coloured_text(app)
    assert as_text(data) == decoded(model, ids)
    assert data["colors"]["high"] != trained["colors"]["high"]


def test_what_was_learnt_between_two_steps_lights_up() -> None:
    run_id = finished_run(learning_rate=0.01)
    first = steps_of(run_id)[0]
    app = open_inside(run_id, inside_compared=True)  # with the first checkpoint, unless told
    ids = tokens_of(model_of(run_id), 0)
    change = token_losses(model_of(run_id), ids) - token_losses(model_of(run_id, first), ids)
    data = coloured_text(app)
    strengths = torch.tensor(data["strengths"][1:])
    clearly = change.abs() > 0.1
    assert clearly.any()
    assert strengths.sign()[clearly].equal(-change.sign()[clearly])
    assert change.mean() < 0  # it has learnt something
    assert (strengths > 0).sum() > len(strengths) / 2
    assert snippets(app)[0]["position"] == int(change.abs().argmax()) + 1
    assert snippets(app)[0]["note"] == f"{change[change.abs().argmax()]:+.2f}".replace("-", "−")


def test_a_model_compared_with_itself_has_no_colour() -> None:
    run_id = finished_run()
    step = steps_of(run_id)[-1]
    slot = session_keys.INSIDE_OTHER
    same = {f"walk_model{slot}": run_id, f"walk_step{slot}-{run_id}": step}
    app = open_inside(run_id, inside_compared=True, **same)
    assert not any(coloured_text(app)["strengths"])


def test_a_live_run_is_compared_with_its_own_first_checkpoint() -> None:
    run_id = start_pocket_run(1)
    runtime.get_runner().pause(run_id, actor="local")
    wait_for_state(run_id, "paused")  # so that its checkpoints stay the same
    runtime.get_runner().checkpoint(run_id, actor="local").result(timeout=30)
    app = open_inside(run_id, inside_compared=True, inside_paths=True)
    assert "a copy at step" in texts(app)
    assert coloured_text(app)
    when = next(box for box in app.selectbox if box.label == "Compared with: when")
    assert when.value == steps_of(run_id)[0]
    [map_of_words] = components(app, "word_map")
    assert map_of_words["paths"]  # from the checkpoints to the copy
    finish(run_id)


def test_models_with_different_vocabularies_are_not_subtracted() -> None:
    run_id, other = finished_run(), finished_run(TINY, vocabulary="characters")
    state = {f"walk_model{session_keys.INSIDE_OTHER}": other, "inside_compared": True}
    app = open_inside(run_id, **state)
    assert "have different vocabularies" in texts(app)
    assert not components(app, "running_text")


def test_a_vocabulary_of_characters_is_coloured_too() -> None:
    run_id = finished_run(TINY, vocabulary="characters")
    data = coloured_text(open_inside(run_id))
    assert {len(text.replace("↵\n", "↵")) for text in data["texts"]} == {1}


def test_a_text_that_was_read_is_not_read_again() -> None:
    run_id = finished_run()
    app = open_inside(run_id)
    reads: list[int] = []
    model = model_of(run_id)
    hook = model.register_forward_hook(lambda *_: reads.append(1))
    next(b for b in app.segmented_control if b.label == "Part").set_value("Validation part").run()
    assert reads
    reads.clear()
    next(b for b in app.segmented_control if b.label == "Part").set_value("Training part").run()
    assert not app.exception
    assert coloured_text(app)
    assert not reads
    hook.remove()


def test_a_large_model_waits_for_a_click(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = finished_run()
    monkeypatch.setattr("dashboard.inside.text_in_colour.AT_ONCE", 0)
    app = open_inside(run_id)
    assert not components(app, "running_text")
    button(app, "Read these 500 tokens").click().run()
    assert coloured_text(app)
    assert coloured_text(app.run())  # also after the click


def test_the_pages_own_text_is_coloured_and_counted_in_the_runs_text() -> None:
    run_id = finished_run()
    app = open_inside(run_id, inside_source="The text above", inside_text="one two three four")
    model = model_of(run_id)
    ids = text_to_token_ids("one two three four", read_vocabulary(model.vocabulary))[0]
    data = coloured_text(app)
    assert "".join(data["texts"]) == "one two three four"
    times = int((tokens_of(model, 0, 10**9) == ids[1]).sum())
    assert times > 0
    assert data["details"][1].endswith(f"{times:,}× in the training text")


def test_a_text_of_the_library_needs_no_run() -> None:
    app = open_app("inside", state={"walk_model": "pocket", "text": "counting"})
    assert [box.options for box in app.segmented_control if box.label == "Which text"] == [
        ["One of the library", "The text above"]
    ]
    assert len(coloured_text(app)["texts"]) == 500


@pytest.mark.slow
def test_in_a_class_a_private_text_is_coloured_for_its_owner_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(runtime.CLASS_MODE, "1")
    monkeypatch.setenv(runtime.JOIN_CODE, CODE)
    monkeypatch.setenv(runtime.PASSPHRASE, PASSPHRASE)
    lesson = Class(monkeypatch)
    run_id = lesson.train("Ann", SECRET)
    own = lesson.visit("Ann", "inside", state={"walk_model": run_id})
    assert "heron" in "".join(coloured_text(own)["texts"])
    compared = {
        "walk_model": "pocket",
        f"walk_model{session_keys.INSIDE_OTHER}": run_id,
        "inside_compared": True,
    }
    for state in ({"walk_model": run_id}, compared):
        app = lesson.visit("Ben", "inside", state={"inside_source": "The run's own", **state})
        assert "heron" not in texts(app) + str(components(app, "running_text"))
        assert not any("heron" in word for d in components(app, "word_map") for word in d["words"])
        assert "not here any more" in texts(app)


def test_a_picked_token_comes_last_and_its_prediction_is_looked_at() -> None:
    ids = torch.tensor(get_tokenizer().encode("Every effort moves you. " * 50))
    text, place = text_up_to(ids, 120, get_tokenizer(), limit=65)
    again = get_tokenizer().encode(text)
    assert again == ids[56:121].tolist()
    assert place == 63
    assert text_up_to(ids, 1, get_tokenizer(), limit=65) == ("Every effort", 0)


def test_a_taken_text_begins_where_its_tokens_stay_the_same() -> None:
    ids = torch.tensor(get_tokenizer().encode("unbelievableness 🙂🙂🙂🙂 ends"))
    for position in range(2, len(ids)):
        text, place = text_up_to(ids, position, get_tokenizer(), limit=5)
        again = get_tokenizer().encode(text)
        assert 0 <= place <= len(again) - 2 or len(again) == 1
        if "�" not in text:
            assert again[place + 1] == ids[position]


@pytest.mark.parametrize(("num_losses", "window"), [(1, 1), (7, 3), (9, 3), (5, 8)])
def test_the_tokens_before_one_are_those_of_its_window(num_losses: int, window: int) -> None:
    window = min(window, num_losses)
    config = replace(TINY, context_length=window)
    seen: list[tuple[int, int]] = []  # (token, how many of its window come before)
    model = build_model(config, seed=1)
    ids = torch.arange(num_losses + 1)

    def note(_: object, arguments: tuple[torch.Tensor]) -> None:
        for row in arguments[0].tolist():
            seen.extend((token + 1, place + 1) for place, token in enumerate(row))

    model.register_forward_pre_hook(note)
    token_losses(model, ids)
    last = dict(reversed(seen))  # windows overlap at the end: the first reading of a token counts
    assert tokens_before(num_losses, window).tolist() == [last[i + 1] for i in range(num_losses)]


def test_the_full_colour_is_that_of_a_uniform_guess() -> None:
    losses = Losses("m", torch.tensor([0.0, math.log(100), 50.0]), 3, 100)
    strengths, colors = coloured(losses, is_training=True)
    assert strengths.tolist() == pytest.approx([0, 1, 1])
    assert colors.high_words.startswith("4.6 or more")


def test_a_lower_and_a_higher_loss_have_opposite_colours() -> None:
    of, other = torch.tensor([1.0, 3.0, 2.0]), torch.tensor([3.0, 1.0, 2.0])
    strengths, colors = coloured(Losses("m", of, 3, 100, "n", other), is_training=True)
    assert strengths.tolist() == pytest.approx([1, -1, 0], abs=0.02)
    assert colors.low != colors.high

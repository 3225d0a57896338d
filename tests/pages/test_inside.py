"""The page Inside: every kind of model, what happens without a part, and its address."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime, session_keys
from dashboard.inside.reading import DEFAULT
from dashboard.ui.glossary import ON_PAGE
from gpt_core.config import GPTConfig
from gpt_core.inspection import ablate, residual_stream
from gpt_core.model import GPTModel, build_model
from gpt_core.vocabularies import get_tokenizer, text_to_token_ids
from tests.conftest import TINY
from tests.pages.test_glossary import words_of
from tests.support.app_driver import (
    button,
    chips,
    components,
    finish,
    html,
    open_app,
    start_pocket_run,
    texts,
)

pytestmark = pytest.mark.usefixtures("own_runtime")

IDS = text_to_token_ids(DEFAULT, get_tokenizer())  # (1, T)
HOSTILE = "<img src=x onerror=alert(1)> **b** $x$ :red[r] <b>x</b>"


def keep(config: GPTConfig = TINY, seed: int = 1) -> tuple[GPTModel, str]:
    """Put a model into the library; return it, and its name among the choices."""
    model = build_model(config, seed)
    return model, f"model:{runtime.get_models().keep(model, 'small', actor='local').key}"


def inside(model: str = "", query: dict[str, str] | None = None, **state: Any) -> AppTest:
    chosen = {"walk_model": model} if model else {}
    return open_app("inside", state={**chosen, **state}, **(query or {}))


def box(app: AppTest, label: str) -> Any:
    return next(box for box in app.selectbox if box.label == label)


def column(app: AppTest) -> dict[str, Any]:
    [data] = components(app, "model_column")
    return data


def parts_of(app: AppTest) -> dict[str, dict[str, Any]]:
    """Return the parts of the column and their heads, by their names."""
    parts = [part for stage in column(app)["stages"] for part in (stage["part"], *stage["parts"])]
    return {part["name"]: part for whole in parts for part in (whole, *whole["heads"])}


def test_every_kind_of_model_is_shown() -> None:
    assert column(inside("pocket"))["stages"][3]["part"]["title"] == "Layer 2"  # untrained
    assert column(inside(keep()[1]))["stages"]  # from elsewhere
    run_id = start_pocket_run()
    app = inside()  # the current run's, until another is chosen
    assert box(app, "Model").value == run_id
    assert "as it is now (a copy)" in box(app, "When").options
    assert column(app)["stages"]
    finish(run_id)
    app = inside()
    steps = box(app, "When").options
    sentences = set()
    for i in range(len(steps)):
        box(app, "When").select_index(i).run()
        assert not app.exception
        sentences.add(column(app)["sentence"])
    assert len(sentences) == len(steps)  # the checkpoints are not the same model


def test_the_bars_together_are_the_targets_logit() -> None:
    model, name = keep()
    parts = [part for stage in column(inside(name))["stages"] for part in stage["parts"]]
    at = IDS.shape[1] - 2  # the last token with a next one
    logit = residual_stream(model, IDS).logits[at].item()
    assert sum(part["value"] for part in parts) == pytest.approx(logit, rel=1e-4)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("trf_blocks.1.att.0", "Without head 1.0 the loss"),
        ("trf_blocks.0.ff", "Without the feed-forward of layer 0 the loss"),
        ("trf_blocks.1", "Without layer 1 the loss"),
        ("pos_emb", "Without its positions the loss"),
    ],
)
def test_a_part_that_is_off_changes_the_loss_as_its_ablation_does(part: str, words: str) -> None:
    model, name = keep()
    whole, without = ablate(model, IDS), ablate(model, IDS, [part])
    app = inside(name, inside_off=[part])
    sentence = column(app)["sentence"]
    assert sentence.startswith(words)
    assert f"{whole.loss:.2f}" in sentence
    assert f"{without.loss:.2f}" in sentence
    shown = parts_of(app)
    assert shown[part]["is_off"]
    assert sum(p["is_off"] for p in shown.values()) == {"trf_blocks.1": 5}.get(part, 1)
    best = without.probas[IDS.shape[1] - 2].topk(5).values
    found = sorted((c["after"] for c in column(app)["candidates"]), reverse=True)
    assert torch.allclose(torch.tensor(found[:5]), best, atol=1e-6)

    app.button_group(key=session_keys.INSIDE_REPLACEMENT).set_value("mean").run()
    mean = ablate(model, IDS, [part], replacement="mean")
    assert f"{mean.loss:.2f}" in column(app)["sentence"]
    button(app, "Switch all parts on").click().run()
    assert column(app)["sentence"].startswith("With all its parts the model's loss")
    assert not any(p["is_off"] for p in parts_of(app).values())


@pytest.mark.parametrize(
    ("change", "says", "has_positions"),
    [
        ({}, "", True),
        ({"positions": "rotary"}, "Rotary positions turn queries and keys", True),
        ({"positions": "none"}, "This model has no position embedding", False),
        ({"residual": False}, "each part replaces the stream", True),
        ({"norm": "none"}, "This model has no final norm", True),
        ({"tied_head": True, "qkv_bias": True}, "", True),
    ],
)
def test_a_variant_is_shown_right_or_the_page_says_what_is_missing(
    change: dict[str, Any], says: str, has_positions: bool
) -> None:
    model, name = keep(replace(TINY, **change))
    app = inside(name, inside_off=["pos_emb"])
    assert says in texts(app)
    said = (
        "Rotary positions turn",
        "no position embedding",
        "replaces the stream",
        "no final norm",
    )
    assert sum(words in texts(app) for words in said) == bool(says)
    parts = parts_of(app)
    assert ("pos_emb" in parts) == has_positions
    assert ("final_norm.shift" in parts) == (change.get("norm") != "none")
    if change.get("positions") == "rotary":
        assert parts["pos_emb"]["value"] is None
    loss = ablate(model, IDS, ["pos_emb"] if has_positions else []).loss
    assert f"{loss:.2f}" in column(app)["sentence"]


def test_the_chosen_token_is_the_one_that_is_followed() -> None:
    _, name = keep()
    app = inside(name, inside_token=3)
    assert chips(app, "The tokens of the text")["selected"] == 3
    assert column(app)["target"] == "·dog"
    assert "“·the” enters as a vector" in texts(app)
    app = inside(name, inside_token=999)  # of a longer text
    assert "the text ends here" in texts(app)


def test_an_address_restores_what_was_seen_and_says_it_again() -> None:
    _, name = keep()
    query = {"model": name, "text": "One two one two", "token": "1", "off": "trf_blocks.0.att.1"}
    app = inside(query=query)
    shown = chips(app, "The tokens of the text")
    assert (shown["texts"], shown["selected"]) == (["One", "·two", "·one", "·two"], 1)
    assert column(app)["sentence"].startswith("Without head 0.1 ")
    assert {key: app.query_params[key] for key in query} == query
    app.text_area(key=session_keys.INSIDE_TEXT).set_value("Red blue red").run()
    assert app.query_params["text"] == "Red blue red"
    app.query_params["text"] = "Two one"  # as the browser's way back
    app.run()
    assert chips(app, "The tokens of the text")["texts"] == ["Two", "·one"]


def test_an_address_that_means_no_good_shows_an_ordinary_page() -> None:
    query = {
        "model": HOSTILE,
        "step": "9" * 99,
        "text": HOSTILE * 100,
        "token": "-5",
        "head": "999.999",
        "off": "trf_blocks.99,x," + HOSTILE,
    }
    app = inside(query=query)
    assert "The chosen model is not here any more: choose another one." in texts(app)
    box(app, "Model").select("pocket").run()
    assert not app.exception
    assert column(app)["sentence"].startswith("With all its parts")
    assert len(app.text_area(key=session_keys.INSIDE_TEXT).value) == 1000
    assert HOSTILE not in str(app.query_params.get("off", ""))


def test_hostile_text_stays_text() -> None:
    app = inside(keep()[1], inside_text=HOSTILE)
    for text in (html(app), *(element.value for element in (*app.markdown, *app.caption))):
        assert "onerror" not in text
        assert "**b**" not in text
    assert "".join(chips(app, "The tokens")["texts"]).replace("·", " ") == HOSTILE


def test_what_cannot_be_read_is_said_in_words() -> None:
    _, name = keep()
    assert "Type at least two tokens" in texts(inside(name, inside_text="a"))
    assert "Type at least two tokens" in texts(inside(name, inside_text=""))
    app = inside(name, inside_text="word " * 60)
    assert "Only the first 32 are read here" in texts(app)
    assert len(chips(app, "The tokens")["ids"]) == 32


def test_a_model_that_disappears_meanwhile_is_one_sentence() -> None:
    _, name = keep()
    app = inside(name)
    runtime.get_models().delete(name.removeprefix("model:"), actor="local")
    app.run()
    assert not app.exception
    assert "The chosen model is not here any more" in texts(app)
    assert not components(app, "model_column")


def test_every_term_on_the_page_is_among_its_words() -> None:
    assert words_of(inside(keep()[1])) <= set(ON_PAGE["Inside"])

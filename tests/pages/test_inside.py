"""The page Inside: every kind of model, what happens without a part, and its address."""

import base64
import json
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime, session_keys
from dashboard.components.attention_maps import maps_data
from dashboard.inside import findings
from dashboard.inside.attention import head_habit, most_telling_head
from dashboard.inside.reading import DEFAULT
from dashboard.inside.way_through import switched
from dashboard.ui.glossary import ON_PAGE
from gpt_core.config import GPTConfig
from gpt_core.inspection import (
    HeadScores,
    ablate,
    attention_weights,
    lens_summary,
    residual_stream,
    trace,
)
from gpt_core.model import GPTModel, build_model
from gpt_core.text import load_text
from gpt_core.vocabularies import get_tokenizer, learn_vocabulary, text_to_token_ids
from tests.conftest import TINY
from tests.pages.test_glossary import words_of
from tests.support.app_driver import (
    POCKET,
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
    assert len(sentences) > 1  # the checkpoints are not the same model


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
    best = without.probas[IDS.shape[1] - 2].topk(4).values
    found = sorted((c["after"] for c in column(app)["candidates"]), reverse=True)
    assert torch.allclose(torch.tensor(found[:4]), best, atol=1e-6)  # and the target

    app.button_group(key=session_keys.INSIDE_REPLACEMENT).set_value("mean").run()
    mean = ablate(model, IDS, [part], replacement="mean")
    assert f"{mean.loss:.2f}" in column(app)["sentence"]
    assert "(the mean in its place)" in column(app)["sentence"]
    linked = {name: app.query_params[name] for name in ("model", "off", "instead")}
    assert column(inside(query=linked))["sentence"] == column(app)["sentence"]
    button(app, "Switch all parts on").click().run()
    assert column(app)["sentence"].startswith("With all its parts the model's loss")
    assert not any(p["is_off"] for p in parts_of(app).values())


def test_a_switch_moves_a_part_with_all_that_is_in_it_and_leaves_the_rest() -> None:
    layer, att, ff = "trf_blocks.1", "trf_blocks.1.att", "trf_blocks.1.ff"
    heads = [f"{att}.{head}" for head in range(3)]
    assert switched([], att, 3) == [att]
    assert switched(["pos_emb", heads[1]], layer, 3) == ["pos_emb", layer]
    assert switched(["pos_emb", layer], layer, 3) == ["pos_emb"]
    assert switched(["pos_emb", layer], att, 3) == ["pos_emb", ff]
    assert switched([layer], heads[1], 3) == [heads[0], heads[2], ff]
    assert switched([att, "trf_blocks.11.att"], heads[2], 3) == ["trf_blocks.11.att", *heads[:2]]


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
        "Rotary positions turn queries and keys and add nothing",
        "This model has no position embedding",
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


def test_a_run_with_a_vocabulary_of_its_own_begins_with_a_line_of_its_text() -> None:
    runner, line = runtime.get_runner(), "one two three four five six seven"
    training = replace(POCKET.training, num_epochs=1, vocabulary="characters", probes=(line,))
    run_id = runner.start(POCKET, load_text("counting"), training, actor="local")
    assert runner.wait(run_id, 60)
    app = inside(run_id)
    assert "".join(chips(app, "The tokens")["texts"]).replace("·", " ") == line[:32]
    box(app, "Model").select("pocket").run()
    assert app.text_area(key=session_keys.INSIDE_TEXT).value == DEFAULT
    app.text_area(key=session_keys.INSIDE_TEXT).set_value("six seven").run()
    box(app, "Model").select(run_id).run()
    assert app.text_area(key=session_keys.INSIDE_TEXT).value == "six seven"


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


def maps(app: AppTest) -> dict[str, Any]:
    [data] = components(app, "attention_maps")
    return data


def test_the_large_map_is_the_chosen_heads_attention_and_the_small_ones_are_all_heads() -> None:
    model, name = keep()
    app = inside(query={"model": name, "head": "1.0"})
    weights = attention_weights(model, IDS)  # (n_layers, n_heads, T, T)
    shown = maps(app)
    T = IDS.shape[1]
    assert (shown["layers"], shown["heads"], shown["side"], shown["chosen"]) == (2, 2, T, 2)
    for i, row in enumerate(shown["weights"]):
        assert torch.allclose(torch.tensor(row), weights[1, 0, i, : i + 1], atol=1e-4)
    cells = torch.tensor(list(base64.b64decode(shown["cells"]))).view(4, -1)
    last_row = weights[0, 1, -1]
    assert torch.allclose(cells[1, -T:] / 255, last_row, atol=1 / 255)
    assert app.query_params["head"] == "1.0"


def test_a_row_of_a_head_is_computed_with_its_real_numbers() -> None:
    model, name = keep()
    app = inside(name, inside_head=(1, 1), inside_token=4)
    block = trace(model, IDS).blocks[1]
    scores = block.keys[1, :5] @ block.queries[1, 4] / math.sqrt(8)  # (5,)
    weights = scores.softmax(dim=0)
    [latex] = [formula.value for formula in app.latex]
    assert rf"w_{{4,{weights.argmax().item()}}} = \frac{{e^{{{scores.max().item():.2f}}}}}" in latex
    assert f"= {weights.max().item():.3f}" in latex
    table = app.dataframe[0].value
    assert table["weight"].tolist() == pytest.approx(weights.sort(descending=True).values.tolist())
    assert table["divided by √d"].tolist() == pytest.approx(
        scores[weights.argsort(descending=True)].tolist(), abs=1e-5
    )


def test_maps_of_many_heads_and_long_texts_stay_small_enough_to_send() -> None:
    weights = torch.rand(12, 12, 64, 64).tril()
    habits = [[""] * 12] * 12
    data = maps_data(weights, ["a"] * 64, habits, (0, 0), 0)
    assert data["side"] == 64
    assert len(json.dumps(data)) < 500_000
    weights = torch.rand(48, 25, 128, 128).tril()
    data = maps_data(weights, ["a"] * 128, [[""] * 25] * 48, (47, 24), 0)
    assert len(json.dumps(data)) < 700_000
    side, cell = data["side"], 128 // data["side"] + 1
    assert side * cell >= 128
    assert len(data["weights"][127]) == 128  # the large one is whole


def test_a_head_is_named_by_what_it_looks_at_only_where_that_is_telling() -> None:
    scores = HeadScores(
        previous=torch.tensor([[0.93, 0.1]]),
        first=torch.tensor([[0.05, 0.2]]),
        same=torch.tensor([[0.0, 0.29]]),
        induction=torch.tensor([[0.0, 0.28]]),
    )
    assert head_habit(scores, 0, 0) == "looks at the token before, 0.93"
    assert head_habit(scores, 0, 1) == ""
    assert most_telling_head(scores) == (0, 0)
    assert head_habit(None, 0, 0) == ""


def test_the_lens_shows_what_each_layer_reads() -> None:
    model, name = keep()
    [data] = components(inside(name), "lens_table")
    [lens] = data["lenses"]
    summary = lens_summary(model, IDS)
    for i in (0, 7, IDS.shape[1] - 1):
        for layer in range(2):
            cell = lens["cells"][i][layer]
            assert cell["target_proba"] == pytest.approx(summary.target_probas[layer, i].item())
            assert cell["probas"] == pytest.approx(
                summary.best_probas[layer, i].tolist(), rel=1e-2, abs=1e-6
            )
    assert lens["targets"][:-1] == lens["tokens"][1:]


def test_a_second_model_reads_the_same_text_beside_the_first() -> None:
    _, one = keep()
    pairs = build_model(replace(TINY, vocab_size=270, n_layers=1), 1)
    pairs.vocabulary = learn_vocabulary("bpe", DEFAULT * 20, 270)
    other = f"model:{runtime.get_models().keep(pairs, 'other', actor='local').key}"
    app = inside(one, inside_compares=True)
    [data] = components(app, "lens_table")
    assert len(data["lenses"]) == 2  # at first the same model
    assert data["lenses"][0]["cells"] == data["lenses"][1]["cells"]
    app = inside(query={"model": one, "second": other})
    [data] = components(app, "lens_table")
    assert "another vocabulary" in texts(app)
    assert [len(lens["cells"][0]) for lens in data["lenses"]] == [2, 1]
    assert "".join(data["lenses"][1]["tokens"]).replace("·", " ") in DEFAULT
    assert "Loss on this text: " in texts(app)
    assert app.query_params["second"] == other


def test_choosing_another_token_or_head_does_not_run_the_model_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = inside(keep()[1])
    passes: list[object] = []
    monkeypatch.setattr(findings, "trace", lambda *args: passes.append(args))
    app.session_state[session_keys.INSIDE_TOKEN] = 2
    app.session_state[session_keys.INSIDE_HEAD] = (0, 1)
    app.run()
    assert not app.exception
    assert column(app)["target"] == "·the"
    assert maps(app)["chosen"] == 1
    assert not passes


def test_every_term_on_the_page_is_among_its_words() -> None:
    assert words_of(inside(keep()[1])) <= set(ON_PAGE["Inside"])

"""The Model page: what follows from a configuration, as it is shown."""

from dataclasses import replace

import pytest

from dashboard.model.architecture import drawing
from gpt_core.config import GPTConfig, field_help
from gpt_core.inspection import summarize
from gpt_core.presets import GPT_CONFIG_124M
from tests.support.app_driver import html, metric, open_app, texts

pytestmark = pytest.mark.usefixtures("own_runtime")


def set_field(app, name: str, value: int) -> None:
    next(box for box in app.number_input if box.label == name).set_value(value).run()
    assert not app.exception


def test_the_chapters_model_is_shown_first_with_its_true_size() -> None:
    app = open_app("model")
    assert metric(app, "Parameters") == "162,419,712"
    assert metric(app, "Weights") == metric(app, "Gradients") == "650 MB"
    assert metric(app, "AdamW's moments") == "1.3 GB"
    assert metric(app, "A whole checkpoint") == "1.95 GB"
    assert "**162,419,712** are **123,822,336**" in texts(app)
    assert "GPT-2's own number is 124,439,808" in texts(app)


def test_each_field_stands_with_its_own_explanation() -> None:
    shown = texts(open_app("model"))
    assert all(explanation in shown for explanation in field_help(GPTConfig).values())


def test_a_change_of_layers_or_width_changes_everything_at_once() -> None:
    app = open_app("model")
    before = metric(app, "Parameters")
    set_field(app, "n_layers", 6)
    halved = summarize(GPTConfig(n_layers=6), 1, 1)
    assert metric(app, "Parameters") == f"{halved.parameters:,}" != before
    assert "6 transformer blocks" in html(app)
    set_field(app, "emb_dim", 384)
    assert "(2, 256, 384)" in html(app)
    assert "(2, 256, 768)" not in html(app)
    narrow = summarize(GPTConfig(n_layers=6, emb_dim=384), 1, 1)
    assert f"6 × {narrow.part('trf_blocks.0').parameters:,}" in html(app)


def test_the_drawing_shows_the_shape_at_each_arrow() -> None:
    config = GPTConfig(context_length=8, emb_dim=16, n_heads=2, n_layers=3, vocab_size=99)
    shown = drawing(config, summarize(config, 2, 8))
    flows = [part.split("</code>")[0] for part in shown.split('class="flow">↓ <code>')[1:]]
    assert flows[0] == "(2, 8)"
    assert flows[-1] == "(2, 8, 99)"
    assert set(flows[1:-1]) == {"(2, 8, 16)"}
    assert "2 heads of 8" in shown
    assert "16 → 64, GELU, → 16" in shown


def test_what_goes_beyond_the_chapter_is_drawn_and_counted() -> None:
    small = GPTConfig(context_length=8, emb_dim=16, n_heads=2, n_layers=3, vocab_size=99)
    chapters = drawing(small, summarize(small, 2, 8))
    assert "pos_emb" in chapters
    assert "then added to what entered the block" in chapters
    config = replace(
        small, tied_head=True, norm="none", positions="rotary", initialization="gpt2",
        residual=False,
    )  # fmt: skip
    shown = drawing(config, summarize(config, 2, 8))
    assert "pos_emb" not in shown
    assert "norm" not in shown
    assert "queries and keys are turned by their token's position" in shown
    assert "what entered the block is not added" in shown
    assert "the product with its embedding" in shown
    assert summarize(config, 2, 8).part("out_head").parameters == 0


def test_a_tied_head_is_chosen_below_and_counted_once() -> None:
    app = open_app("model")
    next(box for box in app.toggle if box.label == "tied_head").set_value(True).run()
    assert metric(app, "Parameters") == "123,822,336"
    assert "counted once in these **123,822,336**" in texts(app)


def test_a_combination_that_cannot_be_says_why() -> None:
    app = open_app("model")
    set_field(app, "n_heads", 7)
    assert "emb_dim=768 is not divisible by n_heads=7: choose 763 or 770." in texts(app)
    set_field(app, "n_heads", 8)
    assert metric(app, "Parameters") == "162,419,712"


def test_to_choose_a_model_is_to_begin_afresh() -> None:
    app = open_app("model")
    set_field(app, "vocab_size", 100)
    app.selectbox[0].select("OpenAI's GPT-2 124M").run()
    app.selectbox[0].select("book-124m (a preset of this app)").run()
    assert metric(app, "Parameters") == "162,419,712"


def test_openais_models_can_be_looked_at() -> None:
    app = open_app("model")
    app.selectbox[0].select("OpenAI's GPT-2 1558M").run()
    assert "are **1,557,611,200**" in texts(app)


def test_the_drawing_of_the_chapters_model_adds_up() -> None:
    shown = drawing(GPT_CONFIG_124M, summarize(GPT_CONFIG_124M, 2, 256))
    assert shown.count("38,597,376 · 23.8%") == 2
    assert "12 × 7,085,568 · 52.4%" in shown

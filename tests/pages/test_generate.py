"""The Generate page: nine words, texts side by side, and the choice behind each token."""

import gc
import time
import weakref
from dataclasses import replace

import pytest
import torch
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime, session_keys
from dashboard.generate.decoding import describe_decoding
from gpt_core.model import Decoding, build_model, generate, next_token_probas
from gpt_core.presets import PRESETS
from gpt_core.vocabularies import (
    DECODING_LOGITS,
    DECODING_VOCABULARY,
    get_tokenizer,
    text_to_token_ids,
)
from tests.support.app_driver import button, components, open_app, texts

pytestmark = pytest.mark.usefixtures("own_runtime")
PROMPT = "every effort moves you"


def open_generate(**settings: object) -> AppTest:
    begins = {
        "walk_model": "pocket",
        session_keys.WRITE_PROMPT: PROMPT,
        session_keys.WRITE_TOKENS: 6,
    }
    app = open_app("generate", state=begins | settings)
    return app.run()  # a kept value is one run late after a page switch


def write(app: AppTest) -> AppTest:
    button(app, "Write").click().run()
    return wait(app)


def wait(app: AppTest) -> AppTest:
    deadline = time.monotonic() + 60
    while any(b.label == "Stop" for b in app.main.button):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        app.run()
    assert not app.exception
    return app


def shown_texts(app: AppTest) -> list[str]:
    entries = [line["entries"][0] for line in components(app, "sample_list")]
    return ["".join(piece for piece, _ in entry["pieces"]) for entry in entries]


def slide(app: AppTest, label: str, value: float) -> AppTest:
    key = f"nine_words-{label}"
    app.slider(key=key).set_value(value).run()
    assert not app.exception
    return app


def nine_words(app: AppTest) -> tuple[list[float], list[float]]:
    """Return the probabilities of the nine words before and after the settings."""
    before, after = components(app, "live_chart")[0]["figure"]["data"]
    assert before["x"] == after["x"] == list(DECODING_VOCABULARY)
    return before["y"], after["y"]


def test_the_nine_words_show_the_chapters_probabilities() -> None:
    app = open_generate()
    before, after = nine_words(app)
    # As the chapter prints them: temperature 1, and top-k 3.
    printed = [6.0907e-02, 1.6313e-03, 1.0019e-04, 5.7212e-01, 3.4190e-03]
    printed += [1.3257e-04, 1.0120e-04, 3.5758e-01, 4.0122e-03]
    assert before == pytest.approx(printed, rel=1e-4)
    assert after == pytest.approx([0.0615, 0, 0, 0.5775, 0, 0, 0, 0.3610, 0], abs=1e-4)
    assert "Drawn from: forward 0.5775, toward 0.3610, closer 0.0615. 6 words left out." in texts(
        app
    )
    app.button_group(key="nine_words").set_value("Temperature 5").run()
    assert nine_words(app)[1][3] == pytest.approx(0.2421, abs=1e-4)
    assert (app.slider(key="nine_words-temperature").value, nine_words(app)[0]) == (5.0, before)


def test_the_sliders_move_the_bars_of_the_nine_words() -> None:
    app = slide(slide(open_generate(), "top-k", 9), "temperature", 0.1)
    assert app.button_group(key="nine_words").value == "Temperature 0.1"
    assert "Drawn from: forward 0.9910, toward 0.0090. 7 words below 0.0001." in texts(app)
    slide(slide(app, "temperature", 1.4), "top-p", 0.8)
    assert app.button_group(key="nine_words").value is None
    expected = next_token_probas(torch.tensor(DECODING_LOGITS), Decoding(1.4, top_p=0.8))
    assert nine_words(app)[1] == pytest.approx(expected.tolist())
    slide(app, "temperature", 0.0)
    assert nine_words(app)[1] == [0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert app.slider(key="nine_words-top-k").disabled
    slide(slide(app, "temperature", 1.0), "top-p", 1.0)
    assert nine_words(app)[0] == nine_words(app)[1]  # nothing is left out


def test_two_settings_write_from_the_same_prompt_what_generate_writes() -> None:
    app = write(open_generate())
    model = build_model(PRESETS["pocket"].model, 123)
    ids = text_to_token_ids(PROMPT, get_tokenizer())
    generator = torch.Generator().manual_seed(123)
    expected = [generate(model, ids, 6), generate(model, ids, 6, 1.0, generator=generator)]
    assert shown_texts(app) == [get_tokenizer().decode(ids[0].tolist()) for ids in expected]
    notes = [line["entries"][0]["heading"] for line in components(app, "sample_list")]
    assert notes == ["Greedy", "Temperature 1"]


def test_a_touched_token_shows_its_candidates_and_another_one_is_a_branch() -> None:
    app = write(open_generate(**{session_keys.WRITE_SETTINGS: 1}))
    chips = components(app, "token_chips")[0]
    assert len(chips["ids"]) == 6
    key = f"{session_keys.WRITE_CHIPS}-0"
    app.session_state[key] = {"selected": 2}
    app.run()
    figure = components(app, "live_chart")[1]["figure"]
    assert [trace["name"] for trace in figure["data"]] == ["The model's own", "Drawn from"]
    assert figure["layout"]["yaxis"]["ticktext"][0].startswith("→ ")  # greedy: the first
    before = chips["ids"]
    box = next(box for box in app.selectbox if box.label == "Another token in its place")
    assert len(box.options) == 11
    button(app, "Continue from it").click().run()
    after = components(wait(app), "token_chips")[0]
    assert after["ids"][:2] == before[:2]
    assert after["ids"][2] != before[2]
    assert after["second_line"][2] == "yours"
    assert len(after["ids"]) == 6
    model = build_model(PRESETS["pocket"].model, 123)
    begun = [*text_to_token_ids(PROMPT, get_tokenizer())[0].tolist(), *after["ids"][:3]]
    whole = generate(model, torch.tensor([begun]), 3)[0].tolist()
    assert whole[-3:] == after["ids"][3:]


def test_an_empty_prompt_is_refused_in_a_sentence() -> None:
    app = open_generate(**{session_keys.WRITE_PROMPT: ""})
    button(app, "Write").click().run()
    assert "The prompt is empty" in app.toast[0].value


def test_before_the_first_text_the_page_says_what_will_stand_there() -> None:
    assert "What the model writes will appear here" in texts(open_generate())


def test_settings_are_said_in_words() -> None:
    assert describe_decoding(Decoding()) == "Greedy"
    words = describe_decoding(Decoding(0.7, top_k=25, top_p=0.9))
    assert words == "Temperature 0.7, top-k 25, top-p 0.9"


def test_a_model_that_is_evicted_is_gone_though_pages_that_showed_it_are_open() -> None:
    app = write(open_generate())
    cache, config = runtime.get_model_cache(), PRESETS["pocket"].model
    evicted = weakref.ref(cache.untrained(config))
    cache._budget_bytes = 0
    other = cache.untrained(replace(config, n_layers=1))
    gc.collect()
    assert evicted() is None
    assert other is not None
    assert len(shown_texts(write(app))) == 2  # the open page loads it again

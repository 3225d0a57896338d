"""The Generate page: nine words, texts side by side, and the choice behind each token."""

import time

import pytest
import torch
from streamlit.testing.v1 import AppTest

from dashboard.app import session_keys
from dashboard.generate.decoding import EXAMPLES, describe_decoding
from gpt_core.model import Decoding, build_model, generate
from gpt_core.presets import PRESETS
from gpt_core.vocabularies import get_tokenizer, text_to_token_ids
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


def test_the_nine_words_show_the_chapters_probabilities() -> None:
    figure = components(open_generate(), "live_chart")[0]["figure"]
    assert [trace["name"] for trace in figure["data"]] == list(EXAMPLES)
    assert figure["data"][0]["x"][3] == "forward"
    assert figure["data"][0]["y"][3] == pytest.approx(0.5721, abs=1e-4)
    assert figure["data"][3]["y"][3] == pytest.approx(0.5775, abs=1e-4)  # top-k 3


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

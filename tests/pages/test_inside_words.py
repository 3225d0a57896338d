"""Words as places, on the Inside page: the map, neighbours, paths over a run, positions."""

from dataclasses import replace

import pytest
import torch
from streamlit.testing.v1 import AppTest

from dashboard.inside.reading import Reading
from dashboard.inside.whole_text import Counts
from dashboard.inside.words import (
    NUM_PATHS,
    earlier_maps,
    find_neighbours,
    find_token,
    frequent_words,
)
from gpt_core.inspection import embedding_map, embedding_neighbours
from gpt_core.model import GPTModel, build_model
from gpt_core.store import run_reader
from gpt_core.vocabularies import Tokenizer, get_tokenizer, read_vocabulary
from tests.conftest import TINY
from tests.support.app_driver import chips, components, open_app, texts
from tests.support.finished_runs import SHAPE, finished_run, model_of, steps_of

pytestmark = pytest.mark.usefixtures("own_runtime")


def open_inside(run_id: str, **state) -> AppTest:
    return open_app("inside", state={"walk_model": run_id, **state})


def map_of(app: AppTest) -> dict:
    [data] = components(app, "word_map")
    return data


def words_on(data: dict, model: GPTModel) -> torch.Tensor:
    """Return the tokens of a map's words, which the test's text begins with a space."""
    tokenizer = read_vocabulary(model.vocabulary)
    found = [find_token(word, tokenizer) for word in data["words"]]
    return torch.tensor([i for i in found if i is not None])


def tokenizer_of(model: GPTModel) -> Tokenizer:
    return read_vocabulary(model.vocabulary)


def test_frequent_words_of_the_text_are_at_the_places_of_their_embeddings() -> None:
    run_id = finished_run()
    model, data = model_of(run_id), map_of(open_inside(run_id))
    assert {"five", "seven"} <= set(data["words"])
    tokens = words_on(data, model)
    assert len(tokens) == len(data["words"]) > 3
    places = embedding_map(model, tokens)
    assert torch.tensor(data["places"]).double().allclose(places, rtol=1e-3, atol=1e-4)


def test_the_map_of_a_run_whose_text_is_too_large_has_the_words_that_the_page_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id = finished_run()
    monkeypatch.setattr(run_reader, "MAX_TEXT_BYTES", 100)
    app = open_inside(run_id, inside_words="five seven nine")
    assert not app.exception
    assert {"five", "seven", "nine"} <= set(map_of(app)["words"])


def test_another_word_has_its_own_neighbours_by_cosine() -> None:
    run_id = finished_run()
    app, model = open_inside(run_id), model_of(run_id)
    five = find_token("five", tokenizer_of(model))
    box = next(box for box in app.selectbox if box.label == "Word")
    assert five is not None
    box.set_value(five).run()
    assert not app.exception
    data = map_of(app)
    assert data["words"][data["selected"]] == "five"
    shown = chips(app, "The nearest neighbours")
    ids, cosines = embedding_neighbours(model, five, model.config.vocab_size)
    order = dict(zip(ids.tolist(), cosines.tolist(), strict=True))
    assert shown["ids"] == sorted(shown["ids"], key=lambda i: -order[i])
    assert float(shown["second_line"][0].replace("−", "-")) == round(order[shown["ids"][0]], 2)


def test_neighbours_are_tokens_that_exist_and_occur() -> None:
    model = build_model(replace(TINY, vocab_size=50_300), seed=1)  # more rows than GPT-2 has tokens
    reading = Reading("m", model.eval(), torch.tensor([[1, 2]]), 0)
    everything = find_neighbours(reading, 5, [5, 7, 9], None)
    assert max(everything.ids) < 50257
    assert set(everything.on_map) == {7, 9}
    counts = Counts("text", "", torch.bincount(torch.tensor([11, 12, 5]), minlength=50257), (3, 0))
    assert set(find_neighbours(reading, 5, [5, 7, 9], counts).ids) == {11, 12}


def test_words_are_added_and_what_is_no_token_is_said() -> None:
    run_id = finished_run()
    hostile = "<b>x</b>"
    before = map_of(open_inside(run_id))["words"]
    app = open_inside(run_id, inside_words=f"z {hostile} five")
    assert map_of(app)["words"] == [*before, "z"]  # "five" was there
    assert f"“{hostile}”: not one token" in texts(app)
    assert hostile not in "".join(block.value for block in app.markdown)


def test_five_paths_lead_over_the_checkpoints_to_where_the_words_are() -> None:
    run_id = finished_run(learning_rate=0.02)
    data = map_of(open_inside(run_id, inside_paths=True))
    assert len(data["paths"]) == NUM_PATHS
    assert data["paths"][0]["word"] == data["selected"]
    for path in data["paths"]:
        assert len(path["places"]) == len(steps_of(run_id))
        assert path["places"][-1] == data["places"][path["word"]]
        assert path["places"][0] != path["places"][-1]


def test_each_map_is_turned_to_lie_near_the_next() -> None:
    run_id = finished_run(learning_rate=0.02)
    *steps, last = steps_of(run_id)
    tokens = torch.arange(40)
    places = embedding_map(model_of(run_id, last), tokens)
    maps = earlier_maps(run_id, steps, tokens, places)
    assert maps.shape == (len(steps), 40, 2)
    later = places
    for step, turned in zip(reversed(steps), maps.flip(0), strict=True):
        plain = embedding_map(model_of(run_id, step), tokens)
        assert turned.norm().isclose(plain.norm())
        for mirror in ([1, 1], [-1, 1], [1, -1], [-1, -1]):
            other = plain * torch.tensor(mirror)
            assert (turned - later).norm() <= (other - later).norm() + 1e-9
        later = turned


def test_the_first_checkpoint_has_no_path_to_it() -> None:
    run_id = finished_run()
    app = open_inside(run_id, **{f"walk_step-{run_id}": steps_of(run_id)[0]})
    assert "Choose a later step of the run" in texts(app)
    assert not map_of(app)["paths"]


def test_a_model_without_position_embeddings_says_so() -> None:
    run_id = finished_run(replace(SHAPE, positions="rotary"))
    app = open_inside(run_id)
    assert "adds no vectors for positions" in texts(app)
    assert map_of(app)["words"]


def test_positions_are_shown_by_their_cosines() -> None:
    app = open_inside(finished_run())
    figure = next(
        data["figure"]
        for data in components(app, "live_chart")
        if "positions" in data["description"]
    )
    trace = figure["data"][0]
    assert trace["type"] == "heatmap"
    assert len(trace["x"]) == SHAPE.context_length


def test_a_vocabulary_of_characters_has_a_map_of_characters() -> None:
    data = map_of(open_inside(finished_run(TINY, vocabulary="characters")))
    assert "e" in data["words"]
    assert all(len(word) == 1 for word in data["words"])


def test_a_word_is_the_token_with_a_space_before_it_if_there_is_one() -> None:
    tokenizer = get_tokenizer()
    assert find_token("effort", tokenizer) == 3626
    assert find_token("antidisestablishment", tokenizer) is None
    assert find_token("नम", tokenizer) is None
    pieces = tokenizer.encode("unbelievable effort, effort. Every effort moves you")
    words = frequent_words(list(dict.fromkeys(pieces)) + tokenizer.encode("ing ed"), tokenizer)
    assert tokenizer.encode("ing")[0] in words  # too few words: everything
    many = tokenizer.encode(" one two three four five six seven eight nine ten eleven twelve")
    words = frequent_words([*many, *tokenizer.encode("ing.\n")], tokenizer)
    assert words == [*many, *tokenizer.encode(".")]

"""A run with a vocabulary of its own: each page that shows its tokens reads them with it."""

import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch.nn.functional import cross_entropy

from dashboard.app import runtime, session_keys
from dashboard.forms import settings
from gpt_core.model import build_model
from gpt_core.presets import PRESETS, Preset
from gpt_core.store import Run
from gpt_core.text import load_text
from gpt_core.training import fit_vocabulary, with_text_probe
from gpt_core.vocabularies import run_tokenizer
from tests.conftest import TINY, TINY_TRAINING
from tests.support.app_driver import button, chips, choose, components, metric, open_app, texts

pytestmark = pytest.mark.usefixtures("own_runtime")
SIZES = {"characters": 50257, "bpe": 300}


@pytest.fixture(params=SIZES)
def run(request: pytest.FixtureRequest) -> Run:
    """A finished run on "counting"."""
    shape = replace(TINY, vocab_size=SIZES[request.param])
    training = replace(TINY_TRAINING, vocabulary=request.param, sample_tokens=12)
    text = load_text("counting")
    tokenizer = fit_vocabulary(text.text, shape, training).tokenizer
    training = with_text_probe(training, text.text, tokenizer, TINY.context_length)
    runner = runtime.get_runner()
    preset = Preset("pocket", "Two layers.", shape, training)
    run_id = runner.start(preset, text, actor="local")
    assert runner.wait(run_id, 60)
    found = runtime.get_store().run(run_id)
    assert found is not None
    return found


def wait(app: AppTest, label: str) -> AppTest:
    """Wait until a button is there again, or not any more."""
    deadline = time.monotonic() + 60
    app.run()
    while any(b.label == "Stop" or (b.label == label and b.disabled) for b in app.main.button):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        app.run()
    assert not app.exception
    return app


def written(app: AppTest) -> list[str]:
    lines = components(app, "sample_list")
    return ["".join(text for text, _ in e["pieces"]) for line in lines for e in line["entries"]]


def test_train_shows_its_samples_and_lets_it_write(run: Run) -> None:
    app = open_app("train", run=run.id)
    [*_, sample] = runtime.get_store().samples(run.id)
    assert sample.text in written(app)
    prompt = next(box for box in app.text_input if box.label.startswith("Ask the model"))
    prompt.set_value("one two 中").run()
    button(app, "Write").click().run()
    wait(app, "Write")
    [asked] = [text for text in written(app) if text.startswith("one two")]
    kind = run.training_config.vocabulary
    assert asked.startswith("one two <|unk|>" if kind == "characters" else "one two 中")
    assert ("The prompt has 1 character that the vocabulary lacks, “中”" in texts(app)) == (
        kind == "characters"
    )


def test_loss_walks_through_its_tokens_and_its_rows(run: Run) -> None:
    app = open_app("loss", run=run.id, state={session_keys.WALK_ROWS: "one two three"})
    tokenizer = run_tokenizer(runtime.get_store(), run)
    rows = chips(app, "Inputs and targets of each row")
    assert max(rows["ids"]) < tokenizer.n_vocab
    row = tokenizer.decode(tokenizer.encode_ordinary("one two three"))
    length = len(rows["ids"]) // 2
    assert "".join(rows["texts"][:length]).replace("·", " ") in row
    probes = chips(app, "Target tokens of “every effort moves you”")
    [*targets] = tokenizer.encode_ordinary("every effort moves you")[1:]
    assert probes["ids"] == targets
    tokens = [tokenizer.decode_single_token_bytes(i) for i in targets]
    assert probes["bytes"] == [token.hex(" ").upper() for token in tokens]
    assert f"of {tokenizer.n_vocab:,}" in texts(app)


def test_its_model_can_be_looked_into_as_it_was_untrained(run: Run) -> None:
    app = open_app("loss", run=run.id, state={session_keys.WALK_ROWS: "one two three"})
    choose(app, "When", "before its first update")
    assert not app.exception
    tokenizer = run_tokenizer(runtime.get_store(), run)
    ids = torch.tensor([tokenizer.encode_ordinary("one two three")])
    logits = build_model(run.model_config, run.training_config.seed)(ids[:, :-1])  # (1, T, V)
    loss = cross_entropy(logits.flatten(0, 1), ids[0, 1:]).item()
    assert metric(app, "Loss") == f"{loss:.4f}"


def test_generate_writes_with_it_and_shows_its_tokens(run: Run) -> None:
    state = {session_keys.WRITE_PROMPT: "one two", session_keys.WRITE_TOKENS: 6}
    app = open_app("generate", run=run.id, state=state).run()
    button(app, "Write").click().run()
    wait(app, "Write")
    for text, line in zip(written(app), components(app, "token_chips"), strict=True):
        assert text == "one two" + bytes.fromhex("".join(line["bytes"])).decode(errors="replace")


def test_a_vocabulary_that_is_damaged_in_the_record_is_said_in_words(run: Run) -> None:
    runs_dir = runtime.get_store().runs_dir
    runtime.close_runtime()
    with closing(sqlite3.connect(runs_dir / "runs.sqlite")) as connection:
        connection.execute("UPDATE vocabularies SET tokenizer = 'x'")
        connection.commit()
    for page in ("train", "loss"):
        app = open_app(page, run=run.id)
        assert "The run's vocabulary is missing or damaged in the record." in texts(app)


def test_it_is_run_again_with_its_vocabulary(run: Run) -> None:
    app = open_app("runs", run=run.id)
    button(app, "Run again with changes").click().run()
    assert not app.exception
    # As the browser goes on from here; a kept value is one run late here after a page switch.
    app.switch_page("pages/train.py").run().run()
    button(app, "Start training").click().run()
    assert not app.exception
    again = runtime.get_store().latest_run()
    assert again is not None
    assert again.id != run.id
    assert again.vocabulary_sha256 == run.vocabulary_sha256
    assert again.model_config == run.model_config
    assert again.training_config == run.training_config
    runtime.get_runner().stop(again.id, actor="local").result(30)


def test_its_weights_begin_a_run_with_its_vocabulary(run: Run) -> None:
    step = runtime.get_store().checkpoints(run.id)[-1].global_step
    state = {session_keys.START_FROM: f"checkpoint:{run.id}:{step}", session_keys.START: True}
    state[session_keys.TEXT] = "counting"
    app = open_app("train", state=state)
    assert not [e.value for e in app.error]
    button(app, "Start training").click().run()
    assert not app.exception
    second = runtime.get_store().latest_run()
    assert second is not None
    assert (second.initial_sha256 != "", second.id != run.id) == (True, True)
    assert second.vocabulary_sha256 == run.vocabulary_sha256
    runtime.get_runner().stop(second.id, actor="local").result(30)


def test_byte_pairs_begin_with_a_size_that_a_story_gives() -> None:
    app = open_app("train", state={session_keys.OTHER_SETTINGS: True})
    choose(app, "vocabulary", "bpe")
    assert not app.exception
    assert "A vocabulary of 512 tokens: the text has" in texts(app)
    choose(app, "vocabulary", "gpt2")
    assert "Changed from" not in texts(app)


@pytest.mark.parametrize(("kind", "size"), [("characters", None), ("bpe", 300)])
def test_the_form_offers_a_vocabulary_and_starts_a_run_with_it(kind: str, size: int | None) -> None:
    app = open_app(
        "train", state={session_keys.OTHER_SETTINGS: True, session_keys.TEXT: "counting"}
    )
    choose(app, "vocabulary", kind)
    assert not app.exception
    if size is not None:
        assert "vocab_size=512 is more than the text gives" in texts(app)
        key = settings.key_of(PRESETS["pocket"], "vocab_size")
        app.number_input(key=key).set_value(size).run()
    assert "13," not in next(c.value for c in app.caption if "parameter" in c.value)
    button(app, "Start training").click().run()
    assert not app.exception
    started = runtime.get_store().latest_run()
    assert started is not None
    assert started.training_config.vocabulary == kind
    assert started.model_config.vocab_size == (size or started.model_config.vocab_size) < 400
    runtime.get_runner().stop(started.id, actor="local").result(60)


def test_a_preset_with_byte_pairs_takes_characters_as_well() -> None:
    state = {session_keys.PRESET: "minute", session_keys.OTHER_SETTINGS: True}
    app = open_app("train", state=state)
    choose(app, "vocabulary", "characters")
    assert not app.exception
    assert "contradicts" not in texts(app)
    assert not button(app, "Start training").disabled


def test_data_shows_the_text_in_the_chosen_vocabulary() -> None:
    app = open_app("data", state={session_keys.OTHER_SETTINGS: True, session_keys.TEXT: "counting"})
    choose(app, "vocabulary", "characters")
    assert not app.exception
    frequent = chips(app, "The most frequent tokens")
    assert all(len(text) == 1 for text in frequent["texts"])
    assert max(frequent["ids"]) < 100
    choose(app, "Text", "the-lamp-room")
    assert "The validation text has 1 character that the vocabulary lacks, “!”" in texts(app)

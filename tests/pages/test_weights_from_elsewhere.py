"""Models from elsewhere on the pages: brought in, looked into, trained further."""

import io
import os
import pickle
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from dashboard.app import runtime, toast
from dashboard.weights.checkpoints import KINDS
from gpt_core.export import weights_zip
from gpt_core.model import build_model
from gpt_core.store import CheckpointKind
from gpt_core.text import load_text
from gpt_core.weights import INITIAL_STEP, InitialWeights, export_gpt2, weights_sha256
from tests.conftest import TINY
from tests.support.app_driver import (
    POCKET,
    button,
    choose,
    finish,
    open_app,
    start_pocket_run,
    texts,
    wait_for_state,
)
from tests.support.foreign_weights import assert_same_logits, nanogpt_checkpoint, random_gpt2
from tests.support.hub_server import Hub, ask, serve_hub

pytestmark = pytest.mark.usefixtures("own_runtime")

GPT2 = replace(TINY, emb_dim=64, n_heads=1, qkv_bias=True)  # as wide as one of GPT-2's heads
HOSTILE = "<b>mine</b> $x$ ![y](http://example.com/y.png).pth"


def book_file(seed: int = 3) -> bytes:
    buffer = io.BytesIO()
    torch.save({"model_state_dict": build_model(GPT2, seed).state_dict()}, buffer)
    return buffer.getvalue()


def bring_in(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    app.file_uploader[0].set_value([(n, d, "application/octet-stream") for n, d in files]).run()
    return button(app, "Add this model").click().run()


def put_gpt2(name: str = "small") -> None:
    export_gpt2(build_model(GPT2, 3), runtime.get_models().import_folder / name)


def the_small_one() -> str:
    [card] = runtime.get_models().models(actor="local")
    return f"model:{card.key}"


def test_a_file_of_the_book_is_uploaded_kept_and_deleted() -> None:
    app = bring_in(open_app("weights"), (HOSTILE, book_file()))
    assert not app.exception
    [card] = runtime.get_models().models(actor="local")
    assert card.name == HOSTILE
    assert f"{HOSTILE} · uploaded" in texts(app)
    assert weights_sha256(runtime.get_models().load(card.key, actor="local")) == weights_sha256(
        build_model(GPT2, 3)
    )
    button(app, "Delete for good").click().run()
    assert runtime.get_models().models(actor="local") == []
    assert "No model from elsewhere is here yet" in texts(app)


ASSUMED = "n_heads=1 is assumed, a head for each 64 dimensions: no file states it."


def test_what_was_assumed_of_an_upload_is_said_with_it() -> None:
    app = bring_in(open_app("weights"), ("model.pth", book_file()))
    assert ASSUMED in texts(app)
    [card] = runtime.get_models().models(actor="local")
    for page in ("generate", "train"):
        key = f"model:{card.key}"
        assert ASSUMED in texts(open_app(page, state={"walk_model": key, "begin_with": key}))


def test_a_model_of_the_import_folder_says_what_was_assumed_once_it_is_read() -> None:
    folder = runtime.get_models().import_folder
    folder.mkdir(parents=True)
    (folder / "theirs.pth").write_bytes(book_file())
    assert ASSUMED not in texts(open_app("weights"))
    assert ASSUMED in texts(open_app("loss", state={"walk_model": the_small_one()}))
    assert ASSUMED in texts(open_app("weights"))


def test_a_padded_checkpoint_of_nanogpt_is_uploaded() -> None:
    buffer = io.BytesIO()
    torch.save(nanogpt_checkpoint(random_gpt2(vocab_size=50304)), buffer)
    app = bring_in(open_app("weights"), ("ckpt.pt", buffer.getvalue()))
    assert not app.exception
    assert "The vocabulary's 47 rows of padding are left out." in texts(app)
    assert "n_heads" not in texts(app)


def test_a_model_in_several_files_is_uploaded(tmp_path: Path) -> None:
    random_gpt2().save_pretrained(tmp_path, max_shard_size="100KB")
    files = [(path.name, path.read_bytes()) for path in tmp_path.iterdir()]
    assert len(files) > 3
    app = bring_in(open_app("weights"), *files)
    assert not app.exception
    [card] = runtime.get_models().models(actor="local")
    assert card.note == ""
    model = runtime.get_models().load(card.key, actor="local")
    assert_same_logits(model, random_gpt2())


def test_a_width_that_implies_no_heads_asks_for_them_on_the_page() -> None:
    buffer = io.BytesIO()
    torch.save(build_model(TINY, 3).state_dict(), buffer)
    app = bring_in(open_app("weights"), ("model.pth", buffer.getvalue()))
    assert "its width of 16 does not imply it: give n_heads" in texts(app)
    next(i for i in app.number_input if i.label.startswith("Attention heads")).set_value(2).run()
    button(app, "Add this model").click().run()
    [card] = runtime.get_models().models(actor="local")
    assert (card.note, card.source) == ("", "uploaded")


def test_two_files_that_belong_together_and_a_zip_of_this_page_are_taken(tmp_path: Path) -> None:
    export_gpt2(build_model(GPT2, 3), tmp_path)
    pair = [(path.name, path.read_bytes()) for path in tmp_path.iterdir()]
    bring_in(open_app("weights"), *pair)
    run_id = start_pocket_run()
    finish(run_id)
    row = runtime.get_store().checkpoints(run_id)[-1]
    bring_in(
        open_app("weights"),
        ("mine.zip", weights_zip(runtime.get_store(), row, "ours", actor="local")),
    )
    names = [card.name for card in runtime.get_models().models(actor="local")]
    assert "mine.zip" in names
    assert len(names) == 2


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (toast, ("never",))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "evil.pth",
            pickle.dumps(Evil(), protocol=2),
            "was not opened: it holds more than weights",
        ),
        ("cut.pth", book_file()[:5000], r"cut.pth cannot be loaded"),
        ("a.safetensors", b"\xff" * 100, "a.safetensors cannot be loaded"),
        ("a.zip", b"no zip", "a.zip cannot be unpacked"),
        ("config.json", b"{}", "No model in config.json: it takes model.safetensors"),
    ],
    ids=["pickle", "cut", "noise", "no zip", "alone"],
)
def test_a_file_that_holds_no_model_is_refused_in_words(
    name: str, data: bytes, message: str
) -> None:
    app = bring_in(open_app("weights"), (name, data))
    assert not app.exception
    assert message in texts(app)
    assert runtime.get_models().models(actor="local") == []


def test_a_model_is_let_write_and_asked_for_its_loss() -> None:
    put_gpt2()
    app = open_app("weights")
    button(app, "Generate text").click().run()
    assert app.title[0].value == "Generate"
    assert next(b for b in app.selectbox if b.label == "Model").value == the_small_one()
    app = open_app("weights")
    button(app, "Its loss").click().run()
    assert app.title[0].value == "Loss"
    assert "small, from the import folder: " in texts(app)  # with its parameters: the walk is there
    assert not app.exception


@pytest.mark.slow
def test_losses_on_a_whole_text_stand_side_by_side() -> None:
    put_gpt2()
    app = open_app("loss", state={"walk_model": the_small_one()})
    choose(app, "Text", "counting")
    button(app, "Measure its loss").click().run()
    choose(app, "Model", "pocket")
    button(app, "Measure its loss").click().run()
    assert not app.exception
    table = app.dataframe[-1].value
    assert list(table["Model"]) == ["Untrained pocket, seed 123", "small, from the import folder"]
    assert table["Last tenth"].between(10, 13).all()
    button(app, "Measure its loss").click().run()
    assert app.dataframe[-1].value.equals(table)  # the same again is one row


@pytest.mark.whole_run
@pytest.mark.slow
def test_the_chapters_untrained_losses_on_the_verdict_are_on_the_page() -> None:
    if not Path("data/the-verdict.txt").exists():
        pytest.skip("data/the-verdict.txt is not here")
    app = open_app("loss", state={"walk_model": "book-124m"})
    choose(app, "Text", "the-verdict")
    button(app, "Measure its loss").click().run()
    [row] = app.dataframe[-1].value.to_dict("records")
    assert (row["First nine tenths"], row["Last tenth"]) == pytest.approx(
        (10.987583, 10.981106), abs=2e-6
    )
    assert row["Tokens in a window"] == 256


def test_measuring_draws_nothing_from_the_global_generator() -> None:
    put_gpt2()
    app = open_app("loss", state={"walk_model": the_small_one()})
    before = torch.get_rng_state()
    button(app, "Measure its loss").click().run()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_a_model_is_trained_further_from_the_form() -> None:
    put_gpt2()
    app = open_app("weights")
    button(app, "Continue training").click().run()
    assert app.title[0].value == "Train"
    app.switch_page("pages/train.py").run()  # where AppTest believes to be
    app.session_state["other_settings"] = True
    app.run()
    fields = {field.label: field for field in app.number_input}
    assert fields["emb_dim"].disabled
    assert fields["emb_dim"].value == GPT2.emb_dim
    assert fields["context_length"].value == TINY.context_length
    fields["context_length"].set_value(8).run()
    choose(app, "Text", "counting")
    button(app, "Start training").click().run()
    assert not app.exception
    [run] = runtime.get_store().runs()
    assert run.initial_name == "small, from the import folder"
    assert run.model_config == replace(GPT2, context_length=8)
    assert f"It began with these weights, not with random ones: {run.initial_name}." in texts(app)
    finish(run.id)


@pytest.mark.slow
def test_a_run_is_trained_further_from_a_checkpoint_as_a_run_of_its_own() -> None:
    first = start_pocket_run()
    finish(first)
    app = open_app("weights", run=first)
    button(app, "Continue training").click().run()
    app.switch_page("pages/train.py").run()
    choose(app, "Text", "counting")
    button(app, "Start training").click().run()
    assert not app.exception
    second = runtime.get_store().runs()[0]
    assert second.id != first
    assert second.initial_name.startswith("pocket")
    finish(second.id)
    wait_for_state(second.id, "stopped")
    app = open_app("weights", run=second.id)
    kinds = app.dataframe[0].value["Kind"].tolist()
    assert kinds[-1] == KINDS[CheckpointKind.INITIAL] == "the weights it began with"


def test_run_again_begins_with_the_same_weights() -> None:
    initial = build_model(TINY, 9)
    runner, store = runtime.get_runner(), runtime.get_store()
    first = runner.start(
        POCKET, load_text("counting"), initial=InitialWeights("Nine", initial), actor="local"
    )
    while not store.steps(first):
        time.sleep(0.05)
    finish(first)
    app = open_app("runs", run=first)
    button(app, "Run again with changes").click().run()
    app.switch_page("pages/train.py").run()
    box = next(b for b in app.selectbox if b.label == "Weights to begin with")
    assert box.value == f"checkpoint:{first}:{INITIAL_STEP}"
    button(app, "Start training").click().run()
    assert not app.exception
    again = store.runs()[0]
    assert again.id != first
    assert again.initial_sha256 == store.run(first).initial_sha256  # type: ignore[union-attr]
    finish(again.id)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    export_gpt2(build_model(GPT2, 3), tmp_path / "hub")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    files = {path.name: path.read_bytes() for path in (tmp_path / "hub").iterdir()}
    with serve_hub(Hub(files)) as (served, address):
        ask(address, monkeypatch)
        yield served


def test_openais_weights_are_downloaded_with_a_press(hub: Hub) -> None:
    app = open_app("weights")
    hub.cut_after = 1000
    button(app, "Download").click().run()
    assert runtime.get_models().downloads()["124M"].ended.wait(20)
    app.run()
    assert "The download broke off at" in texts(app)
    hub.cut_after = None
    button(app, "Download").click().run()
    assert runtime.get_models().downloads()["124M"].ended.wait(20)
    app.run()
    assert not app.exception
    assert "GPT-2 124M · OpenAI's" in texts(app)
    assert len([b for b in app.main.button if b.label == "Download"]) == 3


def test_the_upload_can_be_given_a_name_and_its_heads() -> None:
    app = open_app("weights")
    app.file_uploader[0].set_value([("model (1).pth", book_file(), "application/octet-stream")])
    app.run()
    next(i for i in app.text_input if i.label == "Its name").set_value("Mine").run()
    heads = next(i for i in app.number_input if i.label.startswith("Attention heads"))
    heads.set_value(4).run()
    button(app, "Add this model").click().run()
    [card] = runtime.get_models().models(actor="local")
    assert card.name == "Mine"
    assert runtime.get_models().load(card.key, actor="local").config.n_heads == 4


@pytest.mark.parametrize("page", ["generate", "loss", "train"])
def test_a_model_that_is_gone_is_not_replaced_unseen(page: str) -> None:
    key = runtime.get_models().keep(build_model(GPT2, 3), "Mine", actor="local").key
    app = open_app(page, state={"walk_model": f"model:{key}", "begin_with": f"model:{key}"})
    assert "not here any more" not in texts(app)
    runtime.get_models().delete(key, actor="local")
    for _ in range(2):  # for as long as it is chosen
        app.run()
        assert not app.exception
        assert "is not here any more: choose another one" in texts(app)
    labels = [b.label for b in app.main.button if not b.disabled]
    assert not {"Write", "Start training"} & set(labels)


def test_the_form_shows_the_model_that_lies_there_now() -> None:
    put_gpt2()
    app = open_app("train", state={"begin_with": the_small_one(), "other_settings": True})
    folder = runtime.get_models().import_folder / "small"
    export_gpt2(build_model(replace(GPT2, n_layers=3), 3), folder)
    later = time.time() + 10
    os.utime(folder / "model.safetensors", (later, later))
    app.run()
    assert next(f for f in app.number_input if f.label == "n_layers").value == 3


def test_a_context_too_short_to_train_is_refused_in_words() -> None:
    export_gpt2(
        build_model(replace(GPT2, context_length=2), 3),
        runtime.get_models().import_folder / "short",
    )
    app = open_app("train", state={"begin_with": the_small_one()})
    assert not app.exception
    assert "Its context of 2 tokens is too short to be trained here" in texts(app)

"""Models from elsewhere: read from whatever holds one, kept, found and deleted."""

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from gpt_core.access import PermissionDenied
from gpt_core.inference import ModelCache
from gpt_core.library import ModelLibrary
from gpt_core.library import models as library_module
from gpt_core.model import GPTModel, build_model
from gpt_core.store import RunStore
from gpt_core.weights import InitialWeights, export_gpt2, load_model, save_weights
from gpt_core.weights.hub import DownloadStopped
from tests.conftest import TINY
from tests.support.hub_server import Hub, ask, serve_hub

WITH_BIAS = replace(TINY, qkv_bias=True)  # as in every GPT-2


@pytest.fixture
def library(tmp_path: Path) -> Iterator[ModelLibrary]:
    store = RunStore(tmp_path / "runs")
    yield ModelLibrary(store)
    store.close()


@pytest.fixture
def model() -> GPTModel:
    return build_model(WITH_BIAS, seed=4)


def assert_same(one: GPTModel, other: GPTModel) -> None:
    assert {**asdict(one.config), "drop_rate": 0} == {**asdict(other.config), "drop_rate": 0}
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name]), name


def zipped(folder: Path, inside: str = "", method: int = zipfile.ZIP_STORED) -> Path:
    file = folder.with_suffix(".zip")
    with zipfile.ZipFile(file, "w", method) as archive:
        for path in folder.iterdir():
            archive.write(path, inside + path.name)
    return file


def as_ours(model: GPTModel, place: Path) -> Path:
    save_weights(place / "ours", model)
    return place / "ours"


def as_gpt2(model: GPTModel, place: Path) -> Path:
    # Heads of 4 dimensions, which only the configuration beside it can say.
    export_gpt2(model, place / "gpt2")
    return place / "gpt2"


def as_book(model: GPTModel, place: Path) -> Path:
    (place / "book").mkdir()
    torch.save({"model_state_dict": model.state_dict()}, place / "book" / "model_and_optimizer.pth")
    return place / "book"


@pytest.mark.parametrize("write", [as_ours, as_gpt2])
def test_a_model_is_read_from_its_folder_a_file_in_it_and_a_zip_of_it(
    write, model: GPTModel, tmp_path: Path
) -> None:
    folder = write(model, tmp_path)
    assert_same(load_model(folder), model)
    assert_same(load_model(str(folder / "model.safetensors")), model)
    assert_same(load_model(zipped(folder)), model)
    assert_same(load_model(zipped(folder, inside="some/folder/")), model)


def test_a_book_file_is_read_alone_in_a_folder_and_in_a_zip(tmp_path: Path) -> None:
    folder = as_book(build_model(WITH_BIAS, seed=4), tmp_path)
    for source in (folder, folder / "model_and_optimizer.pth", zipped(folder)):
        assert_same(load_model(source, WITH_BIAS.n_heads), build_model(WITH_BIAS, seed=4))


def test_a_zip_cannot_write_elsewhere_nor_fill_the_disk(model: GPTModel, tmp_path: Path) -> None:
    folder = as_ours(model, tmp_path)
    file = zipped(folder, inside="../../../")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("../../evil.py", "print()")
    before = set(tmp_path.rglob("*"))
    assert_same(load_model(file), model)
    assert set(tmp_path.rglob("*")) == before
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.safetensors", bytes(10_000_000))
    with pytest.raises(ValueError, match=r"bomb\.zip cannot be unpacked: it unpacks to far more"):
        load_model(tmp_path / "bomb.zip")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 and nothing more"])
def test_a_zip_that_is_none_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(
        ValueError, match=r"a\.zip cannot be unpacked: (File is not a zip file|a\.zip is empty)\."
    ):
        load_model(tmp_path / "a.zip")


def test_a_zip_with_a_damaged_part_is_refused(model: GPTModel, tmp_path: Path) -> None:
    file = zipped(as_ours(model, tmp_path))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match=r"ours\.zip cannot be unpacked: Bad CRC-32"):
        load_model(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_layers": 10**9}, r"n_layers=1000000000 is not what model\.safetensors holds"),
        ({"emb_dim": 8}, r"tok_emb\.weight is of shape \(50257, 16\), and should be of"),
        ({"vocab_size": 7}, "vocabulary has 7 tokens, GPT-2's tokenizer 50,257"),
        ({"n_heads": 3}, "n_heads=3"),
        ({"colour": 1}, "unexpected keyword argument 'colour'"),
    ],
)
def test_a_configuration_that_does_not_fit_its_weights_is_refused(
    change: dict, message: str, model: GPTModel, tmp_path: Path
) -> None:
    folder = as_ours(model, tmp_path)
    facts = {"model": {**asdict(model.config), **change}}
    (folder / "state.json").write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=message):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("final_norm.scale"), r"final_norm\.scale is missing"),
        (lambda w: w["final_norm.scale"].fill_(torch.nan), r"final_norm\.scale holds numbers"),
        (
            lambda w: w.update({"trf_blocks.987654321.att.x": torch.zeros(1)}),
            "its blocks are not numbered from 0 on",
        ),
    ],
)
def test_weights_that_are_not_whole_are_refused(
    change, message: str, model: GPTModel, tmp_path: Path
) -> None:
    folder = as_ours(model, tmp_path)
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ValueError, match=message):
        load_model(folder)


def test_a_gpt2_whose_blocks_would_be_millions_is_refused_before_it_is_built(
    model: GPTModel, tmp_path: Path
) -> None:
    folder = as_gpt2(model, tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights["transformer.h.99999999.ln_1.weight"] = torch.zeros(1)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ValueError, match="its blocks are not numbered from 0 on"):
        load_model(folder)


def test_what_holds_no_model_is_refused_with_what_would(model: GPTModel, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"No model in empty: it takes model\.safetensors"):
        load_model(tmp_path / "empty")
    (tmp_path / "text.txt").write_text("no")
    for name in ("text.txt", "not-there.pth"):
        with pytest.raises(ValueError, match=name):
            load_model(tmp_path / name)
    (tmp_path / "124M").mkdir()
    (tmp_path / "124M" / "model.ckpt.index").touch()
    with pytest.raises(ValueError, match="124M holds OpenAI's TensorFlow files"):
        load_model(tmp_path / "124M")
    alone = as_ours(model, tmp_path)
    (alone / "state.json").unlink()
    with pytest.raises(
        ValueError, match=r"no file states its number of attention heads, and its width of 16"
    ):
        load_model(alone)


def test_a_kept_model_comes_back_bit_by_bit_and_the_same_again_only_gets_a_name(
    library: ModelLibrary, model: GPTModel
) -> None:
    assert library.models(actor="local") == []
    card = library.keep(model, "Mine", actor="local")
    assert library.models(actor="local") == [card]
    assert (card.name, card.source) == ("Mine", "uploaded")
    assert_same(library.load(card.key, actor="local"), model)
    again = library.keep(model, "Mine too", actor="local")
    assert library.models(actor="local") == [again]
    assert again == replace(card, name="Mine too")
    other = library.keep(build_model(TINY, seed=5), "A", actor="local")
    assert [kept.name for kept in library.models(actor="local")] == ["A", "Mine too"]
    library.delete(card.key, actor="local")
    assert library.models(actor="local") == [other]
    with pytest.raises(ValueError, match="not here any more"):
        library.load(card.key, actor="local")


def test_the_import_folder_is_read_where_it_lies(
    library: ModelLibrary, model: GPTModel, tmp_path: Path
) -> None:
    library.import_folder.mkdir(parents=True)
    shutil.copytree(as_gpt2(model, tmp_path), library.import_folder / "from a friend")
    zipped(as_ours(model, tmp_path)).rename(library.import_folder / "b.zip")
    (library.import_folder / ".hidden").mkdir()
    (library.import_folder / "notes.txt").write_text("no model")
    cards = library.models(actor="local")
    assert [(c.name, c.source) for c in cards] == [
        ("b.zip", "from the import folder"),
        ("from a friend", "from the import folder"),
    ]
    for card in cards:
        assert_same(library.load(card.key, actor="local"), model)
        with pytest.raises(ValueError, match="was not uploaded: its files are in"):
            library.delete(card.key, actor="local")


def test_a_damaged_card_and_one_whose_files_are_gone_are_passed_over(
    library: ModelLibrary, model: GPTModel
) -> None:
    card = library.keep(model, "Mine", actor="local")
    folder = Path(card.path).parent
    (folder / "x.json").write_text("{")
    (folder / "y.json").write_text(json.dumps({**asdict(card), "key": "z"}))
    assert library.models(actor="local") == [card]
    shutil.rmtree(card.path)
    assert library.models(actor="local") == []


def test_a_model_larger_than_the_free_memory_is_refused(
    library: ModelLibrary, model: GPTModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = library.keep(model, "Mine", actor="local")
    little = psutil.virtual_memory()._replace(available=card.bytes - 1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
    with pytest.raises(ValueError, match=r"Mine needs 0\.0 GB of memory, and 0\.0 GB are free"):
        library.load(card.key, actor="local")


def test_a_full_disk_keeps_nothing_and_says_so(
    library: ModelLibrary, model: GPTModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(library_module, "save_weights", refuse)
    with pytest.raises(ValueError, match=r"not saved: No space left on device\."):
        library.keep(model, "Mine", actor="local")
    assert library.models(actor="local") == []


@pytest.fixture
def hub(model: GPTModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = as_gpt2(model, tmp_path)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    with serve_hub(Hub(files)) as (served, address):
        ask(address, monkeypatch)
        yield served


def test_openais_weights_come_from_the_hub_once_and_are_a_model_like_others(
    library: ModelLibrary, hub: Hub, model: GPTModel
) -> None:
    download = library.download("124M", actor="local")
    assert download.ended.wait(20)
    assert (download.error, download.bytes_done) == ("", download.bytes_total)
    [card] = library.models(actor="local")
    assert (card.key, card.name, card.source) == ("gpt2-124M", "GPT-2 124M", "OpenAI's")
    assert_same(library.load("gpt2-124M", actor="local"), model)
    asked = len(hub.requests)
    assert library.download("124M", actor="local").ended.wait(20)
    assert len(hub.requests) == asked


def test_a_download_is_stopped_by_request_and_by_the_library_and_goes_on(
    library: ModelLibrary, hub: Hub
) -> None:
    hub.cut_after = 1_000_000
    download = library.download("124M", actor="local")
    assert download.ended.wait(20)
    assert "broke off at 1.0 of" in download.error
    assert library.models(actor="local") == []
    hub.cut_after, hub.hangs = None, True
    stopped = library.download("124M", actor="local")
    assert library.download("124M", actor="local") is stopped  # one at a time
    library.close()
    assert stopped.ended.wait(20)
    hub.hangs = False
    again = library.download("124M", actor="local")
    assert again.ended.wait(20)
    assert again.error == ""
    assert hub.ranges[-1] == "bytes=1000000-"


def test_what_goes_wrong_with_a_download_is_said_by_it(
    library: ModelLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error, message in (
        (DownloadStopped("Stopped at 1 of 2 MB."), "Stopped at 1 of 2 MB."),
        (PermissionError(13, "Permission denied"), "The model was not saved: Permission denied."),
    ):

        def fail(*_: object, error: Exception = error) -> Path:
            raise error

        monkeypatch.setattr(library_module, "download_gpt2", fail)
        download = library.download("124M", actor="local")
        assert download.ended.wait(10)
        assert download.error == message


def test_a_model_of_the_library_begins_a_run(library: ModelLibrary, model: GPTModel) -> None:
    loaded = library.load(library.keep(model, "Mine", actor="local").key, actor="local")
    short = replace(WITH_BIAS, context_length=8)
    assert_same(InitialWeights("Mine", loaded).fitted(WITH_BIAS), model)
    assert InitialWeights("Mine", loaded).fitted(short).config == short


def test_the_heads_are_part_of_what_a_model_is(library: ModelLibrary) -> None:
    one, four = (build_model(replace(WITH_BIAS, n_heads=n), seed=4) for n in (1, 4))
    keys = {library.keep(model, "a name", actor="local").key for model in (one, four)}
    assert len(keys) == 2
    assert {library.load(key, actor="local").config.n_heads for key in keys} == {1, 4}


def test_heads_that_no_file_says_can_be_given(model: GPTModel, tmp_path: Path) -> None:
    assert load_model(as_book(model, tmp_path), n_heads=4).config.n_heads == 4
    folder = as_gpt2(model, tmp_path)
    assert load_model(folder, n_heads=1).config.n_heads == model.config.n_heads  # one says it
    (folder / "config.json").unlink()
    assert_same(load_model(folder, n_heads=model.config.n_heads), model)


def test_a_damaged_upload_is_mended_by_uploading_it_again(
    library: ModelLibrary, model: GPTModel
) -> None:
    card = library.keep(model, "Mine", actor="local")
    (Path(card.path) / "model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="cannot be loaded"):
        library.load(card.key, actor="local")
    library.keep(model, "Mine", actor="local")
    assert_same(library.load(card.key, actor="local"), model)


def test_uploads_move_with_the_runs_directory(model: GPTModel, tmp_path: Path) -> None:
    store = RunStore(tmp_path / "before")
    key = ModelLibrary(store).keep(model, "Mine", actor="local").key
    store.close()
    (tmp_path / "before").rename(tmp_path / "after")
    store = RunStore(tmp_path / "after")
    assert_same(ModelLibrary(store).load(key, actor="local"), model)
    store.close()


def test_odd_things_in_the_import_folder_break_nothing(
    library: ModelLibrary, model: GPTModel, tmp_path: Path
) -> None:
    folder = library.import_folder
    folder.mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "nowhere.pth").symlink_to("/nowhere/at/all")
    (folder / "loop.pth").symlink_to("loop.pth")
    (folder / "itself").symlink_to(folder, target_is_directory=True)
    shutil.copytree(as_gpt2(model, tmp_path), folder / ("new\nline " + "x" * 200))
    [card] = library.models(actor="local")
    assert "\n" not in card.name
    assert len(card.name) <= 80
    assert_same(library.load(card.key, actor="local"), model)
    # A name that is no text: safetensors cannot open what is in it.
    shutil.copytree(tmp_path / "gpt2", Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe")))
    for card in library.models(actor="local"):
        (card.key + card.name).encode()  # they can be sent to a browser
    with pytest.raises(ValueError, match="cannot be loaded"):
        library.load(card.key, actor="local")


def test_files_that_vanish_are_said_to(library: ModelLibrary, model: GPTModel) -> None:
    export_gpt2(model, library.import_folder / "a")
    [card] = library.models(actor="local")
    shutil.rmtree(library.import_folder)
    with pytest.raises(ValueError, match="a cannot be read"):
        card.modified()


@pytest.mark.parametrize("number", [10**400, -(10**400)])
def test_numbers_beyond_all_bounds_are_refused(
    number: int, model: GPTModel, tmp_path: Path
) -> None:
    ours, gpt2 = as_ours(model, tmp_path), as_gpt2(model, tmp_path)
    facts = {"model": {**asdict(model.config), "drop_rate": number}}
    (ours / "state.json").write_text(json.dumps(facts))
    config = json.loads((gpt2 / "config.json").read_text())
    (gpt2 / "config.json").write_text(json.dumps({**config, "resid_pdrop": number}))
    for folder in (ours, gpt2):
        with pytest.raises(ValueError, match=r"model\.safetensors cannot be loaded"):
            load_model(folder)


def test_a_small_file_that_claims_a_huge_model_is_refused(tmp_path: Path) -> None:
    state = build_model(replace(TINY, n_heads=1), seed=4).state_dict()
    repeated = torch.ones(1, 1).expand(200_000_000, TINY.emb_dim)
    torch.save({**state, "pos_emb.weight": repeated}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"pos_emb\.weight is incomplete"):
        load_model(tmp_path / "a.pth", 1)
    torch.save({**state, "pos_emb.weight": torch.tensor(1.0)}, tmp_path / "b.pth")
    with pytest.raises(ValueError, match=r"b\.pth cannot be loaded"):
        load_model(tmp_path / "b.pth")


@pytest.mark.slow
def test_a_damaged_zip_of_any_kind_is_refused_by_its_name(model: GPTModel, tmp_path: Path) -> None:
    folder = as_ours(model, tmp_path)
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED):
        data = bytearray(zipped(folder, method=method).read_bytes())
        for i in range(200, 260):
            data[i] ^= 0xFF
        (tmp_path / "bad.zip").write_bytes(data)
        with pytest.raises(ValueError, match=r"^bad\.zip cannot be unpacked"):
            load_model(tmp_path / "bad.zip")
    with zipfile.ZipFile(tmp_path / "none.zip", "w"):
        pass
    with pytest.raises(ValueError, match=r"^No model in none\.zip"):
        load_model(tmp_path / "none.zip")


def test_what_macos_adds_to_a_zip_is_passed_over(tmp_path: Path) -> None:
    model = build_model(WITH_BIAS, seed=4)
    file = zipped(as_book(model, tmp_path))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("__MACOSX/._model_and_optimizer.pth", b"\0" * 100)
    assert_same(load_model(file, WITH_BIAS.n_heads), model)


def test_a_student_sees_their_own_models_and_those_that_are_shared(
    library: ModelLibrary, model: GPTModel
) -> None:
    key = library.keep(model, "Ann's", actor="ann").key
    assert [card.owner for card in library.models(actor="ann")] == ["ann"]
    assert library.models(actor="ben") == []
    assert [card.key for card in library.models(actor="teacher")] == [key]
    with pytest.raises(PermissionDenied, match="does not share it"):
        library.load(key, actor="ben")
    with pytest.raises(PermissionDenied, match="does not share it"):
        ModelCache().library_model(library, key, actor="ben")
    library.share(key, True, actor="ann")
    assert_same(library.load(key, actor="ben"), model)
    for doing in (
        lambda: library.delete(key, actor="ben"),
        lambda: library.share(key, False, actor="ben"),
    ):
        with pytest.raises(PermissionDenied, match="only its owner or the teacher"):
            doing()
    library.delete(key, actor="teacher")
    assert library.models(actor="local") == []


def test_two_who_bring_in_the_same_model_have_a_card_each(
    library: ModelLibrary, model: GPTModel
) -> None:
    key = library.keep(model, "Ann's", actor="ann").key
    assert library.keep(model, "Ben's", actor="ben").key == key
    assert [card.name for card in library.models(actor="ann")] == ["Ann's"]
    assert [card.name for card in library.models(actor="ben")] == ["Ben's"]
    assert len(library.models(actor="teacher")) == 1
    library.delete(key, actor="ann")
    assert library.models(actor="ann") == []
    assert_same(library.load(key, actor="ben"), model)
    library.delete(key, actor="ben")
    assert not list(Path(library.import_folder).parent.glob("models/*"))


def test_what_lies_in_the_import_folder_is_for_the_whole_class(
    library: ModelLibrary, model: GPTModel
) -> None:
    save_weights(library.import_folder / "ours", model)
    [card] = library.models(actor="ben")
    assert_same(library.load(card.key, actor="ben"), model)
    with pytest.raises(PermissionDenied, match="Only the teacher may download OpenAI's weights"):
        library.download("124M", actor="ben")
    with pytest.raises(ValueError, match="was not uploaded"):
        library.share(card.key, True, actor="teacher")

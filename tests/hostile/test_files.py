"""Hostile files by the thousand: each is read or refused in words, and nothing strays on the disk.

How many examples each test tries is in conftest.py: a hundred, and thousands with --whole-run.
"""

import io
import json
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dashboard.app import runtime
from dashboard.weights.models import _keep
from gpt_core.export import export_runs
from gpt_core.library import delete_run, label_run
from gpt_core.model import build_model
from gpt_core.store import RUN_ID, Run
from gpt_core.system import DATA_DIR
from gpt_core.system.sandbox import Sandbox
from gpt_core.text import (
    Corpus,
    load_text,
    read_upload_document,
    readable_name,
    upload_reader,
)
from gpt_core.weights import export_gpt2, save_weights
from tests.conftest import TINY
from tests.support.app_driver import POCKET
from tests.support.hostile import (
    changed,
    damaged,
    fewer,
    file_names,
    refused_in_words,
    texts,
)
from tests.support.write_watch import outside, watch_writes

# As small as a model with GPT-2's vocabulary can be.
SMALL = replace(TINY, context_length=4, emb_dim=1, n_heads=1, n_layers=1, qkv_bias=True)


@pytest.fixture(autouse=True)
def nothing_strays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test in which something was written but into the runs, the data, or for a while."""
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    with watch_writes() as written:
        yield
    assert outside(written, tmp_path / "runs", DATA_DIR) == []
    assert list((tmp_path / "temp").iterdir()) == []


def test_the_watch_itself_hears_of_all_ways_to_write(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    with watch_writes() as written:
        elsewhere.mkdir()
        (elsewhere / "a").write_text("x")
        (elsewhere / "a").rename(elsewhere / "b")
        (elsewhere / "b").open("r+").close()
        (elsewhere / "b").unlink()
        (tmp_path / "runs").mkdir()
        elsewhere.rmdir()
        Path(__file__).read_text()
    heard = outside(written, tmp_path / "runs")
    assert heard == [str(elsewhere), str(elsewhere / "a"), str(elsewhere / "b")]


# Texts


@pytest.fixture(scope="module")
def reader() -> Iterator[Sandbox]:
    """The process that reads all files; `test_documents.py` damages whole ones."""
    with upload_reader(2**20) as reader:
        yield reader


def read(name: str, data: bytes, reader: Sandbox) -> None:
    with refused_in_words(repr(readable_name(name))):
        document = read_upload_document(name, data, reader=reader)
        Corpus(readable_name(name), document.text).name.encode()


@given(name=file_names, data=st.binary(max_size=300))
def test_any_bytes_of_any_name_are_a_text_or_a_refusal(
    reader: Sandbox, name: str, data: bytes
) -> None:
    read(name, data, reader)


@given(
    name=file_names,
    text=texts,
    encoding=st.sampled_from(("utf-8", "utf-16", "utf-32", "latin-1", "shift_jis")),
)
def test_any_text_in_any_encoding_is_a_text_or_a_refusal(
    reader: Sandbox, name: str, text: str, encoding: str
) -> None:
    read(name, text.encode(encoding, "ignore"), reader)


def archive(parts: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(target, "w") as book:  # twice
        for name, data in parts.items():
            book.writestr(name, data)
    return target.getvalue()


# Models

FOLDERS = st.sampled_from(("", "../", "/", "../../../../tmp/", "C:\\", "a/b/", "a\0"))
MEMBERS = st.sampled_from(("model.safetensors", "state.json", "config.json", "x.pth", "..", "x"))


class Upload(NamedTuple):
    """What Streamlit hands a page of an uploaded file."""

    name: str
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def getvalue(self) -> bytes:
        return self.data


@pytest.fixture(scope="module")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a small model in each form that is read."""
    place = tmp_path_factory.mktemp("models")
    model = build_model(SMALL, seed=4)
    save_weights(place / "ours", model)
    export_gpt2(model, place / "gpt2")
    saved = io.BytesIO()
    torch.save({"model_state_dict": model.state_dict()}, saved)
    ours = {path.name: path.read_bytes() for path in (place / "ours").iterdir()}
    return {
        "ours": ours["model.safetensors"],
        "state.json": ours["state.json"],
        "gpt2": (place / "gpt2" / "model.safetensors").read_bytes(),
        "config.json": (place / "gpt2" / "config.json").read_bytes(),
        "model.pth": saved.getvalue(),
        "ours.zip": archive(ours),
    }


def bring_in(*files: Upload, name: str = "a model") -> None:
    """Bring a model in as the page does and, where it was taken, delete it again."""
    with refused_in_words():
        card = _keep(list(files), readable_name(name), 1)  # type: ignore[arg-type]
        runtime.get_models().delete(card.key, actor="local")
    assert runtime.get_models().models(actor="local") == []


@pytest.mark.usefixtures("own_runtime")
@pytest.mark.parametrize(
    "names",
    [("ours", "state.json"), ("gpt2", "config.json"), ("gpt2",), ("model.pth",), ("ours.zip",)],
    ids="+".join,
)
@fewer(4)
@given(data=st.data())
def test_a_damaged_model_is_taken_or_refused(
    names: tuple[str, ...], model_files: dict[str, bytes], data: Any
) -> None:
    odd = data.draw(st.sampled_from(names))
    files = []
    for name in names:
        content = model_files[name]
        if name == odd and name.endswith(".json") and data.draw(st.booleans()):
            content = json.dumps(data.draw(changed(json.loads(content)))).encode()
        elif name == odd:
            content = data.draw(damaged([content]))
        files.append(Upload(name if "." in name else "model.safetensors", content))
    bring_in(*files)


@pytest.mark.usefixtures("own_runtime")
@fewer(2)
@given(data=st.data())
def test_files_of_any_name_and_content_are_no_model(
    model_files: dict[str, bytes], data: Any
) -> None:
    endings = st.sampled_from(("", ".safetensors", ".pth", ".pt", ".zip", ".json"))
    uploads = [
        Upload(data.draw(file_names) + data.draw(endings), data.draw(st.binary(max_size=200)))
        for _ in range(data.draw(st.integers(1, 3)))
    ]
    bring_in(*uploads, name=data.draw(texts))


@pytest.mark.usefixtures("own_runtime")
@fewer(4)
@given(data=st.data())
def test_a_zip_is_unpacked_nowhere_else_whatever_its_members_are_called(
    model_files: dict[str, bytes], data: Any
) -> None:
    contents = st.sampled_from([model_files[n] for n in ("ours", "state.json", "config.json")])
    members = st.dictionaries(st.tuples(FOLDERS, MEMBERS).map("".join), contents, min_size=1)
    parts = data.draw(members)
    bring_in(Upload("model.zip", archive(parts)))


# IDs


@pytest.mark.usefixtures("own_runtime")
@fewer(2)
@given(run_id=file_names)
def test_a_run_of_any_id_is_refused_or_nobodys(run_id: str) -> None:
    runner, store = runtime.get_runner(), runtime.get_store()
    if not RUN_ID.fullmatch(run_id):
        with refused_in_words("run_id="):
            runner.start(POCKET, load_text("counting"), run_id=run_id, actor="local")
            pytest.fail("it was started")
    calls = (
        lambda: store.run(run_id),
        lambda: delete_run(store, run_id, actor="local"),
        lambda: label_run(store, run_id, "a", "b", actor="local"),
        lambda: runner.resume(run_id, actor="local"),
        lambda: runner.stop(run_id, actor="local"),
        lambda: runner.snapshot(run_id, actor="local"),
    )
    for call in calls:
        with refused_in_words():
            call()
    for read_rows in (store.steps, store.samples, store.checkpoints, store.probes):
        with refused_in_words():
            assert read_rows(run_id) == []


@pytest.mark.usefixtures("own_runtime")
@fewer(2)
@given(run_id=file_names, step=st.integers())
def test_a_checkpoint_or_an_export_of_no_run_is_refused(run: Run, run_id: str, step: int) -> None:
    store, model_cache = runtime.get_store(), runtime.get_model_cache()
    with refused_in_words():
        model_cache.checkpoint(store, run_id, step, actor="local")
        pytest.fail("there is none")
    with refused_in_words():
        model_cache.library_model(runtime.get_models(), run_id, actor="local")
        pytest.fail("there is none")
    with refused_in_words():
        runtime.get_models().delete(run_id, actor="local")
    with refused_in_words():
        export_runs(store, [replace(run, id=run_id)], "csv", actor="local")
        pytest.fail("there is none")

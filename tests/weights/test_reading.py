"""Weights from elsewhere are read by a process of its own, which hands them back as a file."""

import errno
import os
import shutil
import stat
import subprocess
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import save_file

from gpt_core.config import GPTConfig
from gpt_core.library import ModelLibrary
from gpt_core.model import GPTModel, build_model
from gpt_core.store import RunStore
from gpt_core.system import ReadingTurns
from gpt_core.system.sandbox import Limits, Sandbox, SandboxError
from gpt_core.weights import export_gpt2, load_own_format, read_model, save_weights
from gpt_core.weights import loading as loading_module
from gpt_core.weights.reading import conversion, read_files, weights_reader
from tests.conftest import TINY
from tests.support import sandboxed
from tests.support.foreign_weights import book_state, nanogpt_checkpoint, random_gpt2
from tests.support.hostile import doubled, saved_by_torch

N_HEADS = 4


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Fail a test that leaves something where temporary files go, or a process."""
    place = tmp_path / "temp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    before = {child.pid for child in psutil.Process().children()}
    yield place
    assert list(place.iterdir()) == []
    started = [child for child in psutil.Process().children() if child.pid not in before]
    assert all("gpt-lab-" not in " ".join(child.cmdline()) for child in started)


@pytest.fixture
def own_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each file be read by a process of its own, as in the app."""
    monkeypatch.setattr(loading_module, "weights_reader", weights_reader)


# Every format


def zipped(folder: Path) -> Path:
    file = folder.with_suffix(".zip")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, f"inside/{path.name}")
    return file


def ours(folder: Path) -> Path:
    save_weights(folder, build_model(TINY, seed=1))
    return folder


def hugging_face(folder: Path) -> Path:
    random_gpt2(folder, scale_attn_weights=False)
    return folder


def in_shards(folder: Path) -> Path:
    random_gpt2().save_pretrained(folder, max_shard_size="200KB")
    assert (folder / "model.safetensors.index.json").is_file()
    return folder


def in_bin(folder: Path) -> Path:
    folder.mkdir()
    theirs = random_gpt2()
    torch.save(theirs.half().state_dict(), folder / "pytorch_model.bin")
    (folder / "config.json").write_text(theirs.config.to_json_string())
    return folder


def pth(folder: Path) -> Path:
    folder.mkdir()
    torch.save(book_state(random_gpt2()), folder / "model.pth")
    return folder / "model.pth"


def with_optimizer(folder: Path) -> Path:
    folder.mkdir()
    state = book_state(random_gpt2())
    moments = {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(3)}}
    saved = {"model_state_dict": state, "optimizer_state_dict": {"state": moments}}
    torch.save(saved, folder / "model_and_optimizer.pth")
    return folder / "model_and_optimizer.pth"


def nanogpt(folder: Path) -> Path:
    folder.mkdir()
    theirs = random_gpt2(vocab_size=50304)
    torch.save(nanogpt_checkpoint(theirs), folder / "ckpt.pt")
    return folder / "ckpt.pt"


FORMATS: list[Callable[[Path], Path]] = [
    *(ours, hugging_face, in_shards, in_bin, pth, with_optimizer, nanogpt),
    *(lambda folder: zipped(ours(folder)), lambda folder: zipped(in_shards(folder))),
]
NAMES = ["ours", "Hugging Face", "shards", "bin", "book", "optimizer", "nanoGPT", "ZIP", "ZIP 2"]


def assert_same(one: GPTModel, other: GPTModel) -> None:
    assert one.config == other.config
    assert not one.training
    theirs = other.state_dict()
    assert list(one.state_dict()) == list(theirs)
    for name, weight in one.state_dict().items():
        assert torch.equal(weight.view(torch.int32), theirs[name].view(torch.int32)), name


@pytest.mark.parametrize("write", FORMATS, ids=NAMES)
def test_weights_of_each_format_are_the_same_bit_for_bit_as_if_read_here(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = write(tmp_path / "a model")
    here, there = read_files(path, N_HEADS), read_model(path, N_HEADS)
    assert_same(there.model, here.model)
    assert there.notes == here.notes


@pytest.mark.usefixtures("own_reader")
def test_a_process_of_its_own_writes_into_a_folder_of_this_user_alone(
    tmp_path: Path, nothing_is_left: Path
) -> None:
    path, modes = pth(tmp_path / "a model"), set[int]()

    def look(_: str) -> None:
        modes.update(stat.S_IMODE(folder.stat().st_mode) for folder in nothing_is_left.iterdir())

    assert_same(read_model(path, N_HEADS, watch=look).model, read_files(path, N_HEADS).model)
    assert modes == {0o700}


# Hostile files


def many_layers(folder: Path) -> Path:
    """Write a GPT-2 of one dimension and thousands of layers into a small file."""
    folder.mkdir()
    shapes = {"wte.weight": (50257, 1), "wpe.weight": (1, 1), "h.0.attn.c_attn.weight": (1, 3)}
    shapes |= {f"h.{i}.ln_1.weight": (1,) for i in range(9990)}
    weights = {name: torch.zeros(shape) for name, shape in shapes.items()}
    save_file(weights, folder / "a.safetensors")
    return folder / "a.safetensors"


def big_state(folder: Path) -> Path:
    ours(folder)
    (folder / "state.json").write_bytes(b"[" + b"[]," * (40 * 2**20 // 3) + b"0]")
    return folder


def nested(folder: Path) -> Path:
    folder.mkdir()
    (folder / "nested.pth").write_bytes(saved_by_torch(b"\x80\x02}" + doubled(40) + b"Ns."))
    return folder / "nested.pth"


def read_weights(path: Path) -> None:
    read_model(path, n_heads=1)


def unpickle(path: Path) -> None:
    """Unpickle a file without looking at it first, as a reader does that was fooled."""
    with Sandbox(Limits(cpu_seconds=2), imports="torch") as sandbox:
        try:
            sandbox.call(f"{sandboxed.__name__}:unpickle", b"", {"path": str(path)})
        except SandboxError as error:
            raise ValueError(f"{path.name} {error}.") from error


@pytest.mark.slow  # like others below: torch is imported for each
@pytest.mark.usefixtures("own_reader")
@pytest.mark.parametrize(
    ("make", "read", "message"),
    [
        (nested, read_weights, "nested.pth cannot be loaded: it holds more than 4,000,000 values"),
        (nested, unpickle, "nested.pth took more than 2 seconds of computing to read"),
        (big_state, read_weights, "model.safetensors cannot be loaded: state.json is larger than"),
        (many_layers, read_weights, "a.safetensors cannot be loaded: it has 9,990 blocks, and 256"),
    ],
)
def test_other_threads_go_on_while_a_hostile_file_is_read(
    make: Callable[[Path], Path], read: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    path, messages = make(tmp_path / "hostile"), list[str]()

    def try_to_read() -> None:
        try:
            read(path)
        except ValueError as error:
            messages.append(str(error))

    thread = threading.Thread(target=try_to_read)
    ticks = [time.monotonic()]
    thread.start()
    while thread.is_alive():
        time.sleep(0.005)
        ticks.append(time.monotonic())
    assert messages
    assert messages[0].startswith(message)
    assert messages[0].endswith(".")
    largest_gap = max(later - tick for tick, later in pairwise(ticks))
    assert len(ticks) > 20
    assert largest_gap < (ticks[-1] - ticks[0]) / 2


# Readers that fail, or are not wanted any more


@pytest.mark.slow
def test_a_reader_that_is_killed_is_a_sentence_with_the_files_name(
    own_reader: None, tmp_path: Path
) -> None:
    def kill(_: str) -> None:
        for child in psutil.Process().children():
            if "gpt-lab-" in " ".join(child.cmdline()):
                child.kill()

    with pytest.raises(
        ValueError, match=r"^model\.pth could not be read: its reader was killed .*"
    ):
        read_model(pth(tmp_path / "a"), N_HEADS, watch=kill)


@pytest.mark.slow
def test_the_end_of_who_waits_ends_the_reader(own_reader: None, tmp_path: Path) -> None:
    class TabClosed(BaseException):
        pass

    def close(_: str) -> None:
        raise TabClosed

    with pytest.raises(TabClosed):
        read_model(pth(tmp_path / "a"), N_HEADS, watch=close)


@pytest.mark.slow
def test_weights_beyond_the_memory_or_the_disk_are_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pth(tmp_path / "a")
    for limits, message in (
        (Limits(memory_bytes=2**22, file_bytes=2**30), "needed more than 4 MB of memory to read"),
        (Limits(memory_bytes=2**30, file_bytes=2**20), "takes more than 1 MB of disk to read"),
    ):
        monkeypatch.setattr(
            loading_module,
            "weights_reader",
            lambda _, folder, limits=limits: Sandbox(limits, folder, conversion.__name__),
        )
        with pytest.raises(ValueError, match=rf"^model\.pth {message}\.$"):
            read_model(path, N_HEADS)


def test_a_disk_without_the_space_is_said_with_the_space_that_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 8, 2_000_000))
    options = {"path": str(pth(tmp_path / "a")), "n_heads": N_HEADS, "folder": str(tmp_path)}
    message = r"^model\.pth needs 13 MB of disk while it is read, and 2 MB are free where"
    with pytest.raises(ValueError, match=message):
        conversion.convert_for_sandbox(b"", options)


def test_a_machine_without_handles_or_a_place_for_files_is_a_sentence(
    tmp_path: Path, own_reader: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pth(tmp_path / "a")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "Popen", refuse)
        with pytest.raises(
            ValueError, match=r"^model\.pth .*no process was started \(Too many open"
        ):
            read_model(path, N_HEADS)
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        with pytest.raises(ValueError, match=r"^model\.pth was not read\. The machine reports"):
            read_model(path, N_HEADS)


@pytest.mark.parametrize("name", ["model.safetensors", "state.json"])
def test_a_reader_that_writes_something_else_is_not_believed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, secret = pth(tmp_path / "a"), tmp_path / "secret"
    secret.write_text("of the server's")

    class Fooled:
        """A reader in the hands of an attacker: it ends with a link in place of a file."""

        def __init__(self, folder: Path) -> None:
            self.folder = folder

        def __enter__(self) -> "Fooled":
            return self

        def __exit__(self, *_: object) -> None:
            (self.folder / name).unlink()
            (self.folder / name).symlink_to(secret)

        def call(self, _: str, __: bytes, options: dict[str, Any], ___: object) -> Any:
            return conversion.convert_for_sandbox(b"", options)

    monkeypatch.setattr(loading_module, "weights_reader", lambda _, folder: Fooled(folder))
    with pytest.raises(ValueError, match=r"^model\.pth could not be read: its reader wrote no"):
        read_model(path, N_HEADS)


# Who reads what


def test_a_model_of_the_library_that_this_app_wrote_needs_no_reader(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading_module, "weights_reader", lambda *_: pytest.fail("it was started"))
    model, library = build_model(TINY, seed=1), ModelLibrary(store)
    key = library.keep(model, "Mine", actor="ann").key
    assert_same(library.load(key, actor="ann"), model.eval())


def test_models_of_the_import_folder_are_read_in_turns(store: RunStore) -> None:
    turns = ReadingTurns(1)
    library = ModelLibrary(store, turns)
    library.import_folder.mkdir()
    ours(library.import_folder / "one")
    [entry] = library.models(actor="local")
    loaded: list[GPTConfig] = []
    thread = threading.Thread(
        target=lambda: loaded.append(library.load(entry.key, actor="local").config)
    )
    with turns.turn("ann"):
        thread.start()
        thread.join(0.5)
        assert loaded == []
    thread.join()
    assert loaded == [TINY]


def test_what_was_exported_comes_back_through_the_reader_too(tmp_path: Path) -> None:
    model = build_model(TINY, seed=2)
    export_gpt2(model, tmp_path / "gpt2")
    back = read_model(zipped(tmp_path / "gpt2")).model
    assert torch.equal(back.tok_emb.weight, model.tok_emb.weight)
    assert_same(load_own_format(ours(tmp_path / "ours")), build_model(TINY, seed=1).eval())

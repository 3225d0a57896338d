"""Small files of weights that cost much to read: each is refused before it is read."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import safetensors
from safetensors.torch import save_file

from gpt_core.model import build_model
from gpt_core.weights import load_model, load_weights, save_weights
from gpt_core.weights import own_format as own_format_module
from gpt_core.weights import tensor_files as tensor_files_module
from gpt_core.weights.reading import read_files
from tests.conftest import TINY


def safetensors_file(header: Any, numbers: int = 0) -> bytes:
    described = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(described)) + described + bytes(numbers)


def tensor(begin: int, end: int, shape: list[Any], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def layers(number: int) -> dict[str, Any]:
    """Return a header with a tensor of one number for each of so many layers."""
    return {f"h.{i}.ln_1.weight": tensor(4 * i, 4 * i + 4, [1]) for i in range(number)}


HEADERS = {
    "a header of 5 MB": (b"{" + b" " * (5 * 2**20) + b"}", 0, "header is larger than 4 MB"),
    "layers without end": (layers(12_000), 48_000, "holds more than 10,000 tensors"),
    "lists without end": (b"[" * 600_000, 0, "more than 500,000 lists"),
    "lists in lists": (b"[" * 5000, 0, "its header is nested more than 64 deep"),
    "no tensors": (b"[]", 0, "its header names no tensors"),
    "more than the file": ({"a": tensor(0, 8, [2])}, 4, "take 8 bytes, and 4 are there"),
    "less than the file": ({"a": tensor(0, 8, [2])}, 12, "take 8 bytes, and 12 are there"),
    "one place for two": (
        {"a": tensor(0, 8, [2]), "b": tensor(0, 8, [2])},
        8,
        "b does not begin where the tensor before it ends",
    ),
    "another shape": ({"a": tensor(0, 8, [2**40])}, 8, "another number of bytes than its shape"),
    "a shape below zero": ({"a": tensor(0, 8, [-2, -1])}, 8, "gives a no possible size"),
    "many dimensions": ({"a": tensor(0, 4, [1] * 9)}, 4, "gives a no possible size"),
    "a shape of texts": ({"a": tensor(0, 8, ["2"])}, 8, "gives a no possible size"),
    "no shape": ({"a": {"dtype": "F32"}}, 0, "its header does not describe a"),
    "a list for a kind": ({"a": tensor(0, 4, [1], [])}, 4, "its header does not describe a"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_hostile_header_is_refused_before_the_library_reads_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, numbers, message = HEADERS[name]
    for module in (tensor_files_module, own_format_module):
        monkeypatch.setattr(module, "safe_open", lambda *_: pytest.fail("it was read"))
    (tmp_path / "model.safetensors").write_bytes(safetensors_file(header, numbers))
    with pytest.raises(
        ValueError, match=rf"^model\.safetensors cannot be loaded: .*{message}.*\.$"
    ):
        read_files(tmp_path, None)
    save_weights(tmp_path / "ours", build_model(TINY, seed=1))
    (tmp_path / "ours/model.safetensors").write_bytes(safetensors_file(header, numbers))
    with pytest.raises(
        ValueError, match=rf"^model\.safetensors cannot be loaded: .*{message}.*\.$"
    ):
        read_files(tmp_path / "ours", None)


def test_a_file_that_the_library_writes_is_read(tmp_path: Path) -> None:
    model = build_model(TINY, seed=1)
    save_file(model.state_dict(), tmp_path / "a.safetensors", {"format": "pt"})
    with safetensors.safe_open(tmp_path / "a.safetensors", "pt") as weights:
        assert weights.metadata() == {"format": "pt"}
    assert load_model(tmp_path / "a.safetensors", n_heads=2).config == TINY


@pytest.mark.parametrize("content", [b"[" + b"[]," * 1_000_000 + b"0]", b"[" * 100_000])
def test_a_state_that_is_too_much_is_not_parsed(content: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    save_weights(folder, build_model(TINY, seed=1))
    (folder / "state.json").write_bytes(content)
    message = r"state\.json is (larger than 1 MB|nested more than 64 deep)\.$"
    for read in (load_model, load_weights):
        with pytest.raises(ValueError, match=message):
            read(folder)

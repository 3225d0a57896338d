"""Files of torch.save are looked at before they are unpickled."""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gpt_core.model import build_model
from gpt_core.weights import load_model
from gpt_core.weights.checks import check_pickled_file
from gpt_core.weights.reading import read_files
from tests.conftest import TINY
from tests.support.hostile import doubled, saved_by_older_torch, saved_by_torch

NESTED = doubled(40)


def storage(numbers: int) -> bytes:
    """Return opcodes for a storage of so many numbers."""
    named = b"".join(b"X" + struct.pack("<I", len(text)) + text for text in (b"0", b"cpu"))
    described = b"(X\x07\0\0\0storagectorch\nFloatStorage\n" + named
    return described + b"J" + struct.pack("<i", numbers) + b"tQ"


def key(opcodes: bytes) -> bytes:
    """Return a pickle of a dict with this key and None."""
    return b"\x80\x02}" + opcodes + b"Ns."


def value(opcodes: bytes) -> bytes:
    """Return a pickle of a dict with "a" and this."""
    return b"\x80\x02}X\x01\0\0\0a" + opcodes + b"s."


KEYS = "a key in it is neither a text nor a whole number"
VALUES = "it holds more than 4,000,000 values"
CODE = "it holds more than weights, and could run code"
HOSTILE = {
    "a nested tuple as a key": (key(NESTED), VALUES),
    "a small tuple as a key": (key(b"K\x01K\x02\x86"), KEYS),
    "a tuple among many keys": (b"\x80\x02}(K\x01NK\x02K\x03\x86Nu.", KEYS),
    "None as a key": (key(b"N"), KEYS),
    "a number of many digits as a key": (key(b"\x8a\x09" + b"\x01" * 9), KEYS),
    "a storage as a key": (key(storage(0)), KEYS),
    "lists in lists": (value(b"]" * 40 + b"a" * 39), "nested more than 32 deep"),
    "tuples in tuples": (value(b")" + b"\x85" * 40), "nested more than 32 deep"),
    "a list in itself": (value(b"]q\0h\0a"), "changes after another holds it"),
    "a list that grows later": (value(b"]q\0h\0\x85h\0K\x01a0"), "could run code|changes after"),
    "a dict made of nested pairs": (
        value(b"ccollections\nOrderedDict\n(]" + doubled(12) + b"K\x01\x86atR"),
        "calls a function with too many values|damaged",
    ),
    "a storage that a nested tuple describes": (value(NESTED[:-2] + b"Q"), f"{CODE}|{VALUES}"),
    "a storage of 8 GB": (value(storage(2**31 - 1)), "less than the tensors that it names"),
    "a storage of less than none": (value(storage(-1)), "less than no numbers"),
    "too many steps": (value(b"N0" * 1_000_001 + b"N"), f"{CODE}|more than 2,000,000 steps"),
    "a text of 4 GB": (value(b"X\xff\xff\xff\xffa"), "cannot be loaded"),
    "an endless memo": (value(b"Nr\xff\xff\xff\xff"), "no model weights"),
    "no end": (b"\x80\x02}", "cannot be loaded"),
    "nothing on the stack": (b"\x80\x02.", "its pickle is damaged"),
    "no mark": (b"\x80\x02u.", "its pickle is damaged"),
    "an unknown memo": (b"\x80\x02h\x05.", "its pickle is damaged"),
    "a function of Python": (value(b"cbuiltins\neval\n(X\x01\0\0\x001tR"), CODE),
    "a function of the system": (value(b"cposix\nsystem\n(X\x01\0\0\x001tR"), CODE),
    "a class of torch that is no weight": (value(b"ctorch.nn\nLinear\n)\x81"), CODE),
    "attributes for a number": (value(b"K\x01}b"), CODE),
    "an opcode of a later protocol": (value(b"\x8c\x01a"), CODE),
}


@pytest.mark.parametrize("save", [saved_by_torch, saved_by_older_torch])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused_before_it_is_read(
    name: str, save: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled, message = HOSTILE[name]
    (tmp_path / "a.pth").write_bytes(save(pickled))
    if name != "an endless memo":  # which is none: a memo is as large as what is put there
        monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was unpickled"))
    with pytest.raises(ValueError, match=message) as caught:
        read_files(tmp_path / "a.pth", None)
    assert str(caught.value).startswith("a.pth ")
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("older", [False, True])
def test_what_a_program_saves_beside_its_weights_is_read_as_before(
    older: bool, tmp_path: Path
) -> None:
    model = build_model(TINY, seed=1)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.zeros(1, 4, dtype=torch.long)).sum().backward()
    optimizer.step()
    beside = {
        "optimizer_state_dict": optimizer.state_dict(),  # its keys are whole numbers
        "losses": [0.5] * 10_000,
        "epoch": OrderedDict(a=1, b=(2, [3, None, True, 2**40, -5])),
        "random": torch.get_rng_state(),
        "kinds": (torch.float32, torch.device("cpu"), torch.Size([2, 3]), {1, 2}, b"bytes"),
        "half": torch.zeros(2, dtype=torch.bfloat16),
        "parameter": torch.nn.Parameter(torch.zeros(2)),
        "transposed": torch.zeros(2, 3).T,
    }
    if not older:
        beside["unsigned"] = torch.zeros(2, dtype=torch.uint16)
    torch.save(
        {"model_state_dict": model.state_dict(), **beside},
        tmp_path / "model_and_optimizer.pth",
        _use_new_zipfile_serialization=not older,
    )
    loaded = load_model(tmp_path / "model_and_optimizer.pth", n_heads=2)
    ids = torch.zeros(1, 4, dtype=torch.long)
    assert torch.equal(loaded(ids), model.eval()(ids))


def test_a_file_of_neither_format_is_refused(tmp_path: Path) -> None:
    for content in (
        b"a text",
        pickle.dumps({"a": 1}, protocol=2),
        b"storages".ljust(512, b"\0") * 4,  # as a tar begins
    ):
        (tmp_path / "a.pth").write_bytes(content)
        with pytest.raises((ValueError, pickle.UnpicklingError)):
            check_pickled_file(tmp_path / "a.pth")


def test_a_second_pickle_in_an_archive_is_no_way_in(tmp_path: Path) -> None:
    """Python and torch look for a file of a name in different ways."""
    harmless = pickle.dumps({}, protocol=2)
    for first, second in (
        ("archive/data.pkl", "archive/DATA.PKL"),
        ("archive/DATA.PKL", "archive/data.pkl"),
        ("archive/data.pkl", "other/data.pkl"),
    ):
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr(first, harmless)
            archive.writestr(second, key(NESTED))
            archive.writestr("archive/version", "3\n")
        (tmp_path / "a.pth").write_bytes(target.getvalue())
        with pytest.raises(ValueError, match=r"a\.pth"):
            load_model(tmp_path / "a.pth")

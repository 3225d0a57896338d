"""JSON from elsewhere is bounded before it is parsed."""

import json
from pathlib import Path

import pytest

from gpt_core.system import MAX_SETTINGS_BYTES, parse_json, read_json


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b" " * (MAX_SETTINGS_BYTES + 1), "a.json is larger than 1 MB"),
        (b"[" + b"[]," * 349_000 + b"0]", None),
        (b"[" * 600_000, "a.json holds more than 500,000 lists and objects"),
        (b"[" * 65 + b"]" * 65, "a.json is nested more than 64 deep"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "a.json is nested more than 64 deep"),
        (b"[" * 100_000, "a.json is nested more than 64 deep"),
        (b"[" * 64 + b"]" * 64, None),
        (b'{"a": 1', "a.json is not JSON"),
        (b"\xff\x00", "a.json is not JSON"),
        (b"1" * 5000, "a.json is not JSON"),
        (b"\xef\xbb\xbf{}", None),
    ],
)
def test_json_is_read_or_refused_in_words(data: bytes, message: str | None, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(data)
    if message is None:
        assert read_json(tmp_path / "a.json") == json.loads(data.decode("utf-8-sig"))
        return
    with pytest.raises(ValueError, match=f"^{message}$"):
        read_json(tmp_path / "a.json")


def test_what_is_refused_for_its_size_is_never_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", lambda *_: pytest.fail("it was parsed"))
    for text in ("[" * 600_000, "[" * (2**20 + 1), "{" * 600_000):
        with pytest.raises(ValueError, match=r"^the text (is larger|holds more)"):
            parse_json(text, "the text")

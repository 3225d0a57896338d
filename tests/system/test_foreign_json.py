"""JSON from elsewhere is parsed in a process of its own."""

import json
import threading
import time
from itertools import pairwise
from typing import Any

import pytest

from gpt_core.system import MAX_RECORDING_BYTES, foreign_json
from gpt_core.system.foreign_json import json_reader, parse_foreign_json


@pytest.mark.parametrize(
    "value",
    [
        {
            "run": {"id": "a"},
            "steps": {"columns": ["a", "b"], "rows": [[1, 2.5], ["\ud800\n", None]]},
        },
        {"rows": [1, 2], "a": {"rows": 3}, "b": {"rows": []}, "c": [{"rows": [1]}]},
        *([], 3, "größer\u2028", None, {}, {"": {"rows": [[], {"rows": [1]}]}}),
    ],
)
def test_all_that_json_holds_comes_back(value: Any) -> None:
    assert parse_foreign_json(json.dumps(value).encode(), "the file") == value
    assert parse_foreign_json(b"\xef\xbb\xbf" + json.dumps(value).encode(), "the file") == value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "the file is not JSON"),
        (b" " * (2**20 + 1), "the file is larger than 1 MB"),
        (b"[" * 100, "the file is nested more than 64 deep|the file is not JSON"),
    ],
)
def test_what_is_too_much_or_no_json_is_said(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^({message})$"):
        parse_foreign_json(data, "the file")


@pytest.mark.parametrize("where", ["one row", "beside the rows"])
def test_a_piece_that_would_halt_other_threads_is_refused(where: str) -> None:
    numbers = [0.5] * 400_000
    value = {"steps": {"rows": [numbers]}} if where == "one row" else {"steps": numbers}
    with pytest.raises(ValueError, match=r"^the file has more than 1 MB in one row, or beside"):
        parse_foreign_json(json.dumps(value).encode(), "the file", MAX_RECORDING_BYTES)


def test_other_threads_go_on_while_a_large_recording_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(foreign_json, "json_reader", json_reader)  # a process of its own
    value = {"steps": {"rows": [[i, 0.5] for i in range(150_000)]}}
    data = json.dumps(value).encode()
    found: list[Any] = []
    thread = threading.Thread(
        target=lambda: found.append(parse_foreign_json(data, "the file", MAX_RECORDING_BYTES))
    )
    ticks = [time.monotonic()]
    thread.start()
    while thread.is_alive():
        time.sleep(0.005)
        ticks.append(time.monotonic())
    assert found == [value]
    assert len(ticks) > 20
    assert max(later - tick for tick, later in pairwise(ticks)) < (ticks[-1] - ticks[0]) / 2

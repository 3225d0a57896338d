"""The limits on uploads that a test cannot reach on a real server in good time."""

import asyncio
import time
from types import SimpleNamespace

import psutil
import pytest
from starlette.types import Message

from dashboard.app import server
from dashboard.app.uploads import UploadRefused, Uploads
from gpt_core.access import LOCAL, ClassRules


def test_an_upload_that_trickles_ends_when_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "LEAST_SECONDS", 0.2)
    heard: list[float] = []

    async def trickle() -> Message:
        await asyncio.sleep(0.02)  # far less than what counts as stalled
        heard.append(time.monotonic())
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def listen() -> None:
        receive = server._in_time(trickle, size=100)
        while True:
            await receive()

    with pytest.raises(UploadRefused, match="did not arrive in time") as refused:
        asyncio.run(asyncio.wait_for(listen(), 30))
    assert refused.value.status == 408
    assert len(heard) > 1


def test_a_file_for_which_there_is_too_little_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uploads = Uploads(ClassRules)
    monkeypatch.setattr(Uploads, "waiting_bytes", lambda *_: 0)  # there is no server
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=100 * 2**20))
    with (
        pytest.raises(UploadRefused, match="too little free memory") as refused,
        uploads.arriving(LOCAL, "a page", 60 * 2**20),
    ):
        pytest.fail("it was taken")
    assert refused.value.status == 503

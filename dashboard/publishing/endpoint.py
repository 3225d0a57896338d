"""The address to which other machines send the rows of their runs. Off without a token."""

import asyncio
import re
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Scope

from dashboard.app import get_store, is_class
from gpt_core.access import LOCAL, TEACHER
from gpt_core.publishing import (
    MAX_FACTS_BYTES,
    MAX_ROWS_BYTES,
    TOKEN_VARIABLE,
    PublishingRefused,
    SentRows,
    is_right_token,
    list_requests,
    receive_run,
    token_sha256,
)
from gpt_core.store import RunStore, default_runs_dir
from gpt_core.system import describe_error

ADDRESS = re.compile("/publish/[^/]+")  # the last part is the run's ID
METHODS = ("PUT", "POST")
BODY_SECONDS = 60.0  # for a whole body to arrive
ROWS_A_MINUTE, RUNS_A_MINUTE = 600_000, 20
DROP_SECONDS = 5.0  # for a refused one
AT_ONCE = 2  # requests whose bodies are in memory
CLOSE = {"Connection": "close"}  # what is left of the body is not read
TRY_LATER = 503

Row = dict[str, Any]


class Rate:
    """At most so many things a minute.

    Args:
        most: how many.
        timer: a monotonic clock, in seconds.
    """

    def __init__(self, most: int, timer: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._timer = timer
        self._taken: deque[tuple[float, int]] = deque()  # when, and how many

    def take(self, number: int) -> None:
        """Count some more.

        Raises:
            PublishingRefused: they are too many; they do not count.
        """
        now = self._timer()
        while self._taken and now - self._taken[0][0] > 60:
            self._taken.popleft()
        if self._taken and sum(taken for _, taken in self._taken) + number > self._most:
            raise PublishingRefused(429, f"More than {self._most:,} came in a minute: wait a bit.")
        self._taken.append((now, number))


_rows, _runs = Rate(ROWS_A_MINUTE), Rate(RUNS_A_MINUTE)
_turns = asyncio.Semaphore(AT_ONCE)


async def publish(request: Request) -> Response:
    """Take a run's facts (PUT) or its next rows (POST); answer with what there is of it now."""
    is_new = request.method == "PUT"
    try:
        await run_in_threadpool(_require_token, request.headers)
        async with _turns:
            body = await _read_body(request, MAX_FACTS_BYTES if is_new else MAX_ROWS_BYTES)
            receive = _receive_run if is_new else _receive_rows
            answer = await run_in_threadpool(receive, request.path_params["run_id"], body)
    except PublishingRefused as refused:
        await _drop_body(request)
        return PlainTextResponse(str(refused), refused.status, CLOSE)
    return JSONResponse(answer)


def _require_token(headers: Headers) -> None:
    """Refuse a request without the app's token, before anything of it is read.

    Raises:
        PublishingRefused: so.
    """
    try:
        expected = token_sha256(default_runs_dir())
    except (OSError, ValueError) as error:
        raise PublishingRefused(404, f"Publishing to this app is off: {error}") from error
    if not expected:
        raise PublishingRefused(
            404,
            "Publishing to this app is off. Where it runs, gpt-lab token makes a token, or "
            f"{TOKEN_VARIABLE} sets one.",
        )
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not is_right_token(token.strip(), expected):
        raise PublishingRefused(401, "The token is not this app's: gpt-lab token makes another.")


async def _read_body(request: Request, most_bytes: int) -> bytes:
    """Return a request's body.

    Raises:
        PublishingRefused: it is too large, or comes too slowly.
    """
    length = request.headers.get("content-length", "0")
    body = bytearray()
    too_large = PublishingRefused(413, f"More than {most_bytes // 2**20} MB were sent at once.")
    if not length.isdecimal() or int(length) > most_bytes:
        raise too_large
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > most_bytes:
                    raise too_large
    except (TimeoutError, ClientDisconnect):
        raise PublishingRefused(408, "What was sent did not arrive in time.") from None
    return bytes(body)


async def _drop_body(request: Request) -> None:
    """Let a refused body arrive, unless it is large or slow: its sender reads the answer after it.

    Otherwise the connection may be reset before the answer is read.
    """
    dropped = 0
    with suppress(TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: it was read
        async with asyncio.timeout(DROP_SECONDS):
            async for piece in request.stream():
                dropped += len(piece)
                if dropped > MAX_ROWS_BYTES:
                    return


def _receive_run(run_id: str, body: bytes) -> Row:
    store = _store()
    if store.run(run_id) is None:
        _runs.take(1)
    return _answer(store, run_id, lambda: receive_run(store, run_id, body, _owner()))


def _receive_rows(run_id: str, body: bytes) -> Row:
    store, sent = _store(), SentRows.read(body, _owner())
    _rows.take(sent.count)
    return _answer(store, run_id, lambda: sent.add_to(store, run_id))


def _answer(store: RunStore, run_id: str, record: Callable[[], dict[str, int]]) -> Row:
    """Record something of a run; return what there is of it now, and what is asked of it.

    Raises:
        PublishingRefused: it does not fit, or cannot be recorded now: a disk may be full.
    """
    try:
        return {"cursors": record(), "requests": list_requests(store, run_id)}
    except (sqlite3.Error, OSError) as error:
        raise PublishingRefused(TRY_LATER, describe_error(error)) from error


def _owner() -> str:
    """Return whose a published run is: who has the token has it from them."""
    return TEACHER if is_class() else LOCAL


def _store() -> RunStore:
    """Return the store.

    Raises:
        PublishingRefused: the runs directory cannot be used at this moment.
    """
    try:
        return get_store()
    except ValueError as error:
        raise PublishingRefused(TRY_LATER, str(error)) from error


def is_publishing(scope: Scope) -> bool:
    """Tell whether a request is one to publish a run: it needs a token, and no member's cookie."""
    is_request = scope["type"] == "http" and scope["method"] in METHODS
    return is_request and ADDRESS.fullmatch(scope["path"]) is not None


PUBLISHING_ROUTES = [Route("/publish/{run_id}", publish, methods=METHODS)]

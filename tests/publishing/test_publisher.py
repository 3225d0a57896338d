"""The publisher before apps that answer oddly: a small HTTP server that answers as it is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gpt_core.publishing import AppLine, Publisher, SentRows, receive_run
from gpt_core.publishing.outgoing import BATCH_ROWS, introduce
from gpt_core.records import StepRecord
from gpt_core.store import RunState, RunStore
from tests.support.stored_runs import add_run

RUN, TOKEN = "a-run", "the token of a test"
STEPS = BATCH_ROWS + 10
Odd = tuple[int, dict[str, str], bytes]


class App(ThreadingHTTPServer):
    """Gives some odd answers, one to a request, then those of an app with this store."""

    def __init__(self, store: RunStore, odd: list[Odd]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.store, self.odd, self.asked = store, odd, []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: App

    def do_PUT(self) -> None:
        self._answer(lambda body: receive_run(self.server.store, RUN, body, "local"))

    def do_POST(self) -> None:
        self._answer(lambda body: SentRows.read(body, "local").add_to(self.server.store, RUN))

    def _answer(self, receive: Any) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers["Authorization"]))
        if self.server.odd:
            status, headers, answer = self.server.odd.pop(0)
        else:
            answer = json.dumps({"cursors": receive(body), "requests": []}).encode()
            status, headers = 200, {}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[RunStore]:
    """The store of a run that has ended."""
    with closing(RunStore(tmp_path / "origin")) as store:
        add_run(store, RUN)
        records = [(StepRecord(i, 1, 9 * i, 5.0, 1.0, 1e-3), 0.1 * i) for i in range(STEPS)]
        store.add_records(RUN, records)
        store.set_state(RUN, RunState.FINISHED, "ada")
        yield store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    """The app's store."""
    with closing(RunStore(tmp_path / "app")) as store:
        yield store


def publish(origin: RunStore, app: App, patience: float = 60.0) -> tuple[int, list[str]]:
    """Publish the run; return how many rows are not sent, and what was said."""
    said: list[str] = []
    serving = threading.Thread(target=app.serve_forever, args=(0.05,))
    serving.start()
    publisher = Publisher(origin, RUN, AppLine(app.url, TOKEN), said.append)
    publisher.begin()
    unsent = publisher.finish(patience)
    app.shutdown()
    serving.join()
    app.server_close()
    return unsent, said


@pytest.mark.parametrize(
    "odd",
    [
        [(503, {}, b"The disk is full.")],
        [(429, {}, b"Too many.")],
        [(502, {}, b"<html>Bad gateway</html>")],
        [(200, {}, b"<html>Log in to this network</html>")],
        [(200, {}, b"[]")],
        [(200, {}, b'{"cursors": {"steps": "many"}, "requests": []}')],
        [(200, {}, b"[" * 10**6)],
        [(200, {}, b'{"cursors": {"steps": 5}, "requests": [5]}')],
    ],
    ids=lambda odd: repr(odd[0])[:50],
)
def test_after_an_odd_answer_all_rows_arrive_once(
    origin: RunStore, store: RunStore, odd: list[Odd]
) -> None:
    unsent, said = publish(origin, App(store, odd))
    assert unsent == 0
    assert ["takes no rows" in said[0], "answers again" in said[1]] == [True, True]
    assert len(said) == 2
    assert [step.global_step for step in store.steps(RUN)] == list(range(STEPS))
    run = store.run(RUN)
    assert run is not None
    assert run.state is RunState.FINISHED


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(
    origin: RunStore, store: RunStore
) -> None:
    other = App(store, [])
    app = App(store, [(307, {"Location": other.url + "/publish/a-run"}, b"")])
    serving = threading.Thread(target=other.serve_forever, args=(0.05,))
    serving.start()
    unsent, said = publish(origin, app)
    other.shutdown()
    serving.join()
    other.server_close()
    assert unsent == STEPS + 2  # its transitions, too
    assert said == [f"The run is not published to {app.url}: HTTP status 307"]
    assert app.asked == [("/publish/a-run", f"Bearer {TOKEN}")]
    assert other.asked == []


def test_an_app_that_has_lost_rows_gets_them_again(origin: RunStore, store: RunStore) -> None:
    run = origin.run(RUN)
    assert run is not None
    receive_run(store, RUN, introduce(origin, run), "local")
    cursors = {"steps": STEPS, "transitions": 2}  # it says first that it has everything
    app = App(store, [(200, {}, json.dumps({"cursors": cursors, "requests": []}).encode())])
    unsent, said = publish(origin, app)
    assert (unsent, said) == (0, [])
    assert [step.global_step for step in store.steps(RUN)] == list(range(STEPS))


def test_an_app_that_takes_nothing_is_given_up(origin: RunStore, store: RunStore) -> None:
    nothing = json.dumps({"cursors": {}, "requests": []}).encode()
    unsent, said = publish(origin, App(store, [(200, {}, nothing)] * 10_000), patience=3.0)
    assert (unsent, said) == (STEPS + 2, [])


def test_an_app_that_never_answers_is_given_up(origin: RunStore, store: RunStore) -> None:
    unsent, said = publish(origin, App(store, [(503, {}, b"Never.")] * 100), patience=2.0)
    assert unsent == STEPS + 2
    assert len(said) == 1

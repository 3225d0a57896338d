"""The address for runs of other machines, of the real app: wrong tokens, hostile bodies, floods."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dashboard.publishing.endpoint import RUNS_A_MINUTE
from gpt_core.publishing import MAX_ROWS_BYTES, make_token, remove_token
from gpt_core.publishing.outgoing import introduce, read_batch
from gpt_core.records import StepRecord
from gpt_core.store import RunState, RunStore
from tests.browser.conftest import Server, start_server
from tests.support.ports import free_port
from tests.support.stored_runs import add_run

pytestmark = pytest.mark.slow

TOKEN = "twenty characters and some more"
RUN = "a-run"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_server(tmp_path_factory.mktemp("app"), GPT_LAB_PUBLISH_TOKEN=TOKEN)
    yield server
    assert server.end() == 0
    assert "Traceback" not in server.log.read_text()
    assert server.network_log.read_text() == ""


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[RunStore]:
    """The store of a machine where a run trains."""
    with closing(RunStore(tmp_path / "origin")) as store:
        yield store


def ask(
    server: Server,
    method: str,
    run_id: str,
    body: bytes | Iterator[bytes] = b"",
    token: str | None = TOKEN,
    **headers: str,
) -> tuple[int, str]:
    """Return the status and the text of an answer; "_" in a header's name stands for "-"."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        named["Authorization"] = f"Bearer {token}"
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)) as asked:
        asked.request(method, f"/publish/{run_id}", body, named)
        answer = asked.getresponse()
        return answer.status, answer.read().decode()


def new_run(origin: RunStore, run_id: str) -> bytes:
    """Return the introduction of a new run."""
    add_run(origin, run_id)
    origin.set_state(run_id, RunState.RUNNING, "ada")
    run = origin.run(run_id)
    assert run is not None
    return introduce(origin, run)


def rows(**changes: Any) -> bytes:
    return json.dumps({"after": {}, "answers": [], "tables": {}} | changes).encode()


def test_only_the_app_s_token_opens_it(server: Server, origin: RunStore) -> None:
    body = new_run(origin, RUN)
    for token in ("", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\xff" * 30):
        assert ask(server, "PUT", RUN, body, token)[0] == 401
        assert ask(server, "POST", RUN, rows(), token)[0] == 401
    status, text = ask(server, "PUT", RUN, body, None)
    assert (status, text) == (401, "The token is not this app's: gpt-lab token makes another.")
    assert ask(server, "PUT", RUN, body, None, Authorization=f"Basic {TOKEN}")[0] == 401
    assert ask(server, "PUT", RUN, body, None, Cookie=f"gpt_lab_member={TOKEN}")[0] == 401
    assert ask(server, "DELETE", RUN)[0] == 405
    assert ask(server, "PUT", RUN, body, Origin="http://example.com")[0] == 403
    assert ask(server, "PUT", RUN, body)[0] == 200


def test_a_body_that_is_too_large_is_refused(server: Server) -> None:
    status, text = ask(server, "POST", RUN, bytes(MAX_ROWS_BYTES + 1))
    assert (status, text) == (413, "More than 4 MB were sent at once.")
    pieces = (bytes(2**20) for _ in range(5))  # it does not say how large it is
    status, text = ask(server, "POST", RUN, pieces)
    assert (status, text) == (413, "More than 4 MB were sent at once.")
    assert ask(server, "POST", RUN, b"", Content_Length="-1")[0] in (400, 413)


def test_a_huge_body_is_not_waited_for(server: Server) -> None:
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)) as asked:
        asked.putrequest("POST", f"/publish/{RUN}")
        asked.putheader("Authorization", f"Bearer {TOKEN}")
        asked.putheader("Content-Length", str(2**50))
        asked.endheaders()
        assert asked.getresponse().status == 413  # though nothing of it has come


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"\x00" * 100,
        b"[" * 2_000_000,
        b'{"a":' * 500_000,
        b"[" + b"[]," * 1_300_000 + b"0]",
        rows(after={"steps": 10**100}),
        rows(answers=[[1]]),
        rows(answers=[["1; DROP TABLE runs", ""]]),
        rows(tables={"members": {"columns": ["id"], "rows": [[1]]}}),
        rows(tables={"steps": {"columns": ["id", "run_id"], "rows": [[1, "another"]]}}),
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_hostile_body_is_a_sentence(server: Server, origin: RunStore, body: bytes) -> None:
    for method in ("PUT", "POST"):
        status, text = ask(server, method, RUN, body)
        assert status == 422
        assert text.startswith("This is not ")
        assert len(text) < 200
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)) as asked:
        asked.request("GET", "/_stcore/health")
        assert asked.getresponse().read() == b"ok"


@pytest.mark.parametrize(
    "run_id", ["..%2F..%2Fetc", "%00", "%F0%9F%90%8D", "a" * 65, "a%20b", "-x", "a%ED%A0%80"]
)
def test_an_id_that_names_no_folder_is_refused(
    server: Server, origin: RunStore, run_id: str
) -> None:
    body = new_run(origin, "fine").replace(b'"id": "fine"', b'"id": "../../etc"')
    assert ask(server, "PUT", run_id, body)[0] in (400, 404, 422)
    assert ask(server, "POST", run_id, rows())[0] in (400, 404, 410)


def test_rows_sent_twice_by_two_at_once_are_there_once(server: Server, origin: RunStore) -> None:
    run_id = "sent-twice"
    ask(server, "PUT", run_id, new_run(origin, run_id))
    origin.add_records(
        run_id, [(StepRecord(i, 1, 9 * i, 5.0, 1.0, 1e-3), 0.1 * i) for i in range(400)]
    )
    body = read_batch(origin, run_id, {}).body
    answers = [json.loads(ask(server, "POST", run_id, body)[1]) for _ in range(3)]
    assert answers == [{"cursors": {"transitions": 2, "steps": 400}, "requests": []}] * 3
    with closing(RunStore(server.runs_dir)) as store:
        assert [step.global_step for step in store.steps(run_id)] == list(range(400))


def test_too_many_new_runs_wait(server: Server, origin: RunStore) -> None:
    answers = [
        ask(server, "PUT", f"run-{i}", new_run(origin, f"run-{i}"))
        for i in range(RUNS_A_MINUTE + 1)
    ]
    assert answers[-1][0] == 429
    assert "came in a minute" in answers[-1][1]
    assert ask(server, "POST", RUN, rows())[0] in (200, 410)  # runs that are there go on


def test_it_is_off_unless_a_token_was_made(tmp_path: Path, origin: RunStore) -> None:
    server = start_server(tmp_path / "app")
    body = new_run(origin, RUN)
    status, text = ask(server, "PUT", RUN, body, "")
    assert status == 404
    assert text.startswith("Publishing to this app is off.")
    first = make_token(server.runs_dir)  # while the app runs
    assert ask(server, "PUT", RUN, body, first)[0] == 200
    second = make_token(server.runs_dir)
    assert ask(server, "POST", RUN, rows(), first)[0] == 401
    assert ask(server, "POST", RUN, rows(), second)[0] == 200
    assert not any(
        second in p.read_text("latin-1") for p in server.runs_dir.iterdir() if p.is_file()
    )
    remove_token(server.runs_dir)
    assert ask(server, "POST", RUN, rows(), second)[0] == 404
    server.end()


def test_a_short_token_leaves_it_off(tmp_path: Path) -> None:
    server = start_server(tmp_path / "app", GPT_LAB_PUBLISH_TOKEN="short")
    status, text = ask(server, "POST", RUN, rows(), "short")
    assert status == 404
    assert text.endswith("GPT_LAB_PUBLISH_TOKEN has fewer than 20 characters.")
    server.end()


def test_in_a_class_it_is_open_to_the_token_alone_and_the_run_is_the_teacher_s(
    tmp_path: Path, origin: RunStore
) -> None:
    port = free_port()
    settings = {"GPT_LAB_CLASS_PORT": str(port), "GPT_LAB_PUBLISH_TOKEN": TOKEN}
    server = start_server(tmp_path / "app", "classroom.py", **settings)
    server.url = f"http://127.0.0.1:{port}"
    body = new_run(origin, RUN)
    assert ask(server, "PUT", RUN, body, "a student's guess")[0] == 401
    for path in (RUN, "_stcore%2Fstream", "_stcore/stream", "_stcore/health", f"{RUN}/static"):
        for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
            assert ask(server, method, path)[0] == 401  # the door's: "Join the class first."
    handshake = {
        **{"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"},
        "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    assert ask(server, "GET", "_stcore%2Fstream", **handshake)[0] == 403
    assert ask(server, "PUT", "_stcore/upload_file/a/b", body)[0] == 401
    assert ask(server, "PUT", RUN, body)[0] == 200
    with closing(RunStore(server.runs_dir)) as store:
        run = store.run(RUN)
        assert run is not None
        assert run.owner == "teacher"
        assert {transition.actor for transition in store.transitions(RUN)} == {"teacher"}
    server.end()

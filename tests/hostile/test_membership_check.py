"""No page, callback, fragment or endpoint of a class without the membership check.

They are found by reading the code and by asking the app for its routes, and then called through a
real server: by strangers, and by members who were sent out while their page was open.
"""

import ast
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates

from dashboard.classroom import door
from dashboard.publishing import endpoint
from gpt_core.store import RunStore
from tests.browser.conftest import Server, start_server
from tests.hostile.test_members import (
    CODE,
    PASSPHRASE,
    SENTENCE,
    Tab,
    ask,
    button_id,
    fragment_ids,
    join,
    pressed,
    send_out,
    shown,
)
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
SOURCES = [
    *(path for folder in ("dashboard", "pages") for path in (ROOT / folder).rglob("*.py")),
    *ROOT.glob("*.py"),
]
TRIGGERS = ("button", "download_button", "menu_button")
DESCRIBE = """
import json, classroom
app = classroom.app._build_starlette_app()
routes = [
    [type(route).__name__, route.path, sorted(getattr(route, "methods", None) or ["GET"])]
    for route in app.routes
]
print(json.dumps({"routes": routes, "middleware": [m.cls.__name__ for m in app.user_middleware]}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    codes = {"GPT_LAB_JOIN_CODE": CODE, "GPT_LAB_PASSPHRASE": PASSPHRASE}
    folder = tmp_path_factory.mktemp("checked")
    server = start_server(folder, "classroom.py", GPT_LAB_CLASS_PORT="0", **codes)
    yield server
    server.end()


@pytest.fixture(scope="module")
def app() -> dict[str, list[Any]]:
    """The routes and the middleware of the app, in their order: Streamlit's and ours."""
    done = subprocess.run(
        [sys.executable, "-c", DESCRIBE], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    described: dict[str, list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return described


@pytest.fixture(scope="module")
def endpoints(app: dict[str, list[Any]]) -> list[tuple[str, str, str]]:
    """Kind, method and path of every route of the app."""
    return [
        (kind, method, _filled(path)) for kind, path, methods in app["routes"] for method in methods
    ]


def _filled(path: str) -> str:
    """Return a path with something in the place of its parameters."""
    parts = (part.partition("}") for part in path.split("{"))
    return "".join("x" + after if closed else name for name, closed, after in parts) or "/"


def status(server: Server, kind: str, method: str, path: str, token: str) -> int:
    """Return the status with which a request is answered that brings a member's token or none."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version": "13",
    }
    headers = {"Cookie": f"gpt_lab_member={token}"} if token else {}
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)) as asked:
        asked.request(method, path, headers=headers | (upgrade if "WebSocket" in kind else {}))
        return asked.getresponse().status


def test_every_endpoint_is_closed_to_who_is_not_a_member(
    server: Server, endpoints: list[tuple[str, str, str]]
) -> None:
    assert {"/_stcore/stream", "/_stcore/upload_file/x/x", "/media/x", "/leave", "/"} <= {
        path for _, _, path in endpoints
    }
    gone = join(server, "Gone")
    send_out(server, "Gone")
    for kind, method, path in endpoints:
        if path in door.OPEN_PATHS:
            continue
        # Other machines publish with a token of their own; without one it is off, for all.
        is_off = path.startswith("/publish/") and method in ("PUT", "POST")
        refusal = 404 if is_off else 403 if "WebSocket" in kind else 401
        for token in ("", "made-up", gone):
            assert status(server, kind, method, path, token) == refusal, (method, path, token)


def test_the_same_requests_reach_the_endpoints_with_a_members_cookie(
    server: Server, endpoints: list[tuple[str, str, str]]
) -> None:
    """So the test above cannot pass because the requests are wrong ones."""
    token = join(server, "Member")
    for kind, method, path in endpoints:
        found = status(server, kind, method, path, token)
        if path == "/_stcore/stream":
            assert found == 101
        assert found != 401, (kind, method, path)
        if (method, path) == ("POST", "/leave"):
            token = join(server, "Member")


def every_widget(messages: list[ForwardMsg]) -> list[WidgetState]:
    """Return a changed state for every widget that was sent: all their callbacks would run."""
    states = []
    for message in messages:
        if message.WhichOneof("type") != "delta":
            continue
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind and (widget_id := getattr(getattr(element, kind), "id", "")):
            changed = {"trigger_value": True} if kind in TRIGGERS else {"json_value": "{}"}
            states.append(WidgetState(id=widget_id, **changed))  # type: ignore[arg-type]
    return states


def recorded(server: Server) -> list[Any]:
    """Return all that a callback could change."""
    with closing(RunStore(server.runs_dir)) as store:
        records = store.class_store
        runs = [(run.id, run.name, run.owner) for run in store.runs()]
        files = sorted(path.name for path in server.runs_dir.glob("texts/*"))
        return [runs, records.rules(), records.shared(), store.deletions(), files]


@pytest.mark.parametrize("who", ["student", "teacher"])
def test_no_page_callback_or_fragment_runs_for_who_was_sent_out(server: Server, who: str) -> None:
    if who == "teacher":
        _, token = ask(server, "POST", "/join", passphrase=PASSPHRASE)
    else:
        token = join(server, "Dora")
    tab = Tab(server, token)
    if who == "student":
        tab.open(run=pressed(button_id(tab.open(), "Train a small GPT now")))
    with closing(RunStore(server.runs_dir)) as store:
        run = store.runs()[0].id
    opened = {}
    for page in PAGES:
        name = "" if page == "home" else page
        query = "" if page == "home" else f"run={run}"  # Home would open the run's page
        state = ClientState(page_name=name, query_string=query)
        opened[name] = tab.open(run=BackMsg(rerun_script=state))
        assert SENTENCE not in shown(opened[name])
    widgets = {name: every_widget(messages) for name, messages in opened.items()}
    assert all(widgets.values())
    assert sum(map(len, widgets.values())) > 50

    before = recorded(server)
    send_out(server, "Dora" if who == "student" else "Teacher")
    for name, messages in opened.items():
        for fragment in ("", *fragment_ids(messages)):
            state = ClientState(
                page_name=name,
                query_string=f"run={run}",
                fragment_id=fragment,
                widget_states=WidgetStates(widgets=widgets[name]),
            )
            answer = tab.open(run=BackMsg(rerun_script=state))
            assert SENTENCE in shown(answer), (name, fragment)
            assert not every_widget(answer), (name, fragment)
    assert recorded(server) == before
    tab.close()


def test_every_page_is_run_by_the_script_that_checks() -> None:
    """A page that main.py does not name would have an address of its own, without the check."""
    named = {"home", "runs", "classroom", "glossary", "inside"}
    listed = ast.parse((ROOT / "main.py").read_text(encoding="utf-8"))
    [titles] = [
        ast.literal_eval(node.value)
        for node in listed.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PAGES"
    ]
    assert {title.lower() for title in titles} | named == set(PAGES)


def test_nothing_but_the_door_opens_an_endpoint_or_a_listener() -> None:
    """Callbacks and fragments are called by Streamlit alone, for a message that was checked.

    A script may read its own context; to give one to another thread would run it unchecked.
    """
    makers = {"Route", "Mount", "WebSocketRoute", "Starlette", "uvicorn.Config", "_Listener"}
    runners = {"add_script_run_ctx", "ScriptRunContext", "Runtime"}
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
        assert not calls & runners, path
        # Publishing has a door of its own: tests/hostile/test_publishing.py.
        assert not calls & makers or path in map(Path, (door.__file__, endpoint.__file__)), path


def test_the_membership_check_comes_before_everything_of_streamlit(
    app: dict[str, list[Any]],
) -> None:
    """Of a class's middleware, the door comes first, then the check of each page's messages."""
    names = app["middleware"]
    assert names[:4] == ["SecurityHeaders", "SameOrigin", "OnlyMembers", "MemberSessions"]
    assert "PathSecurityMiddleware" in names[4:]

"""Members of a class against its real listener: what is theirs ends when they are sent out."""

import ast
import http.client
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Common_pb2 import FileURLsRequest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from dashboard.classroom.sessions import MAX_TABS
from gpt_core.store import RunStore
from gpt_core.store.database import WATCH_SECONDS
from tests.browser.conftest import Server, start_server
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

CODE, PASSPHRASE = "abc234", "a long passphrase"
SENTENCE = "You are not in this class any more"


class Tab:
    """A page of the app over its websocket, as a browser opens it."""

    def __init__(self, server: Server, token: str, session_id: str = "") -> None:
        protocols = ["streamlit", "no-token", *([session_id] if session_id else [])]
        connection = connect(
            server.url.replace("http", "ws") + "/_stcore/stream",
            additional_headers={"Cookie": f"gpt_lab_member={token}"},
            subprotocols=protocols,  # type: ignore[arg-type]
            max_size=None,
        )
        self._stack = ExitStack()
        self._socket: ClientConnection = self._stack.enter_context(connection)
        self.session_id = ""

    def close(self) -> None:
        self._stack.close()

    def send(self, message: BackMsg) -> None:
        self._socket.send(message.SerializeToString())

    def read_run(self) -> list[ForwardMsg]:
        """Return what the server sends until a script run ends."""
        found = []
        while True:
            message = ForwardMsg()
            message.ParseFromString(bytes(self._socket.recv(timeout=60)))
            if message.WhichOneof("type") == "new_session":
                self.session_id = message.new_session.initialize.session_id
            found.append(message)
            if message.WhichOneof("type") == "script_finished":
                return found

    def open(self, page: str = "", run: BackMsg | None = None) -> list[ForwardMsg]:
        self.send(run or BackMsg(rerun_script=ClientState(page_name=page)))
        return self.read_run()


def shown(messages: list[ForwardMsg]) -> str:
    return "\n".join(str(m.delta) for m in messages if m.WhichOneof("type") == "delta")


def pressed(button_id: str) -> BackMsg:
    states = WidgetStates(widgets=[WidgetState(id=button_id, trigger_value=True)])
    return BackMsg(rerun_script=ClientState(widget_states=states))


def button_id(messages: list[ForwardMsg], label: str) -> str:
    [found] = [
        m.delta.new_element.button.id
        for m in messages
        if m.WhichOneof("type") == "delta" and m.delta.new_element.button.label == label
    ]
    return str(found)


def fragment_ids(messages: list[ForwardMsg]) -> set[str]:
    return {m.delta.fragment_id for m in messages if m.WhichOneof("type") == "delta"} - {""}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("members")
    codes = {"GPT_LAB_JOIN_CODE": CODE, "GPT_LAB_PASSPHRASE": PASSPHRASE}
    server = start_server(folder, "classroom.py", GPT_LAB_CLASS_PORT="0", **codes)
    yield server
    server.end()


def ask(server: Server, method: str, path: str, token: str = "", **form: str) -> tuple[int, str]:
    """Send a request; return the answer's status and the cookie or text that it gives."""
    address = urllib.parse.urlparse(server.url).netloc
    headers = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
    if token:
        headers["Cookie"] = f"gpt_lab_member={token}"
    with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        connection.request(method, path, urllib.parse.urlencode(form), headers)
        answer = connection.getresponse()
        cookie = (answer.getheader("Set-Cookie") or "").partition("gpt_lab_member=")[2]
        return answer.status, cookie.partition(";")[0] or answer.read().decode()


def join(server: Server, name: str) -> str:
    status, token = ask(server, "POST", "/join", name=name, code=CODE)
    assert status == 303
    return token


def send_out(server: Server, name: str) -> str:
    """Send a student out of the class, as the teacher's button does; return their ID.

    Unlike the button's, this is another process than the server, which hears of it a moment later.
    """
    store = RunStore(server.runs_dir)
    [member_id] = {r.member_id for r in store.class_store.members() if r.name == name}
    store.class_store.revoke_member(member_id, "teacher")
    store.close()
    time.sleep(2 * WATCH_SECONDS)
    return member_id


def test_after_a_restart_the_first_page_asked_for_by_its_address_has_its_frame(
    server: Server,
) -> None:
    """It must come first in this module: the server has answered no page yet."""
    tab = Tab(server, join(server, "First"))
    messages = tab.open("glossary")
    assert {"navigation"} <= {m.WhichOneof("type") for m in messages}
    assert "First · student" in shown(messages)  # the sidebar, which is app.py's
    tab.close()


def every_kind_of_message(messages: list[ForwardMsg]) -> Iterator[BackMsg]:
    """Yield what a browser can send: a page, a button's callback, each fragment, the rest."""
    for name in ("train", "runs", "generate", "data", "weights", "loss", "inside"):
        yield BackMsg(rerun_script=ClientState(page_name=name))
    yield pressed(button_id(messages, "Train a small GPT now"))
    for fragment_id in fragment_ids(messages):
        yield BackMsg(rerun_script=ClientState(fragment_id=fragment_id))
    yield BackMsg(file_urls_request=FileURLsRequest(request_id="a", file_names=["a.txt"]))
    yield BackMsg(app_heartbeat=True)
    yield BackMsg(clear_cache=True)


def test_who_was_sent_out_gets_a_sentence_in_answer_to_whatever_an_open_page_sends(
    server: Server,
) -> None:
    tab = Tab(server, join(server, "Eve"))
    messages = tab.open()
    assert fragment_ids(messages)  # the sidebar is one
    member_id = send_out(server, "Eve")
    for message in every_kind_of_message(messages):
        answer = tab.open(run=message)
        assert SENTENCE in shown(answer), message
        kinds = {m.delta.new_element.WhichOneof("type") for m in answer if m.HasField("delta")}
        assert not kinds & {"button", "checkbox", "text_area", "bidi_component"}, message
    store = RunStore(server.runs_dir)
    assert not [run for run in store.runs() if run.owner in (member_id, "nobody")]
    store.close()
    tab.close()


def test_a_button_starts_a_run_for_who_is_still_in_the_class(server: Server) -> None:
    """The same message as above, so that it cannot pass because the button does nothing."""
    tab = Tab(server, join(server, "Fay"))
    tab.open(run=pressed(button_id(tab.open(), "Train a small GPT now")))
    store = RunStore(server.runs_dir)
    names = store.class_store.names()
    assert "Fay" in [names.get(run.owner) for run in store.runs()]
    store.close()
    tab.close()


def test_a_session_id_alone_opens_no_session_of_another(server: Server) -> None:
    ann, ben = join(server, "Ann"), join(server, "Ben")
    anns = Tab(server, ann)
    anns.open("glossary")
    bens = Tab(server, ben, anns.session_id)
    assert "Ben · student" in shown(bens.open())
    assert bens.session_id != anns.session_id
    anns.close()
    later = Tab(server, ben, anns.session_id)  # stored meanwhile, for who reconnects
    assert "Ben · student" in shown(later.open())
    assert later.session_id != anns.session_id
    again = Tab(server, ann, anns.session_id)
    assert "Ann · student" in shown(again.open())
    assert again.session_id == anns.session_id
    for tab in (bens, later, again):
        tab.close()


def test_a_student_has_so_many_tabs_and_hears_why_not_more(server: Server) -> None:
    greedy, other = join(server, "Greedy"), join(server, "Other")
    with ExitStack() as stack:
        for _ in range(MAX_TABS):
            stack.callback(Tab(server, greedy).close)
        status, text = ask(server, "GET", "/train", greedy)
        assert status == 429
        assert "close some" in text
        with pytest.raises(InvalidStatus, match="403"):
            Tab(server, greedy)
        assert ask(server, "GET", "/train", other)[0] == 200


def test_what_a_class_writes_is_readable_by_its_user_alone(server: Server) -> None:
    written = [server.runs_dir, *server.runs_dir.rglob("*")]
    assert len(written) > 3
    assert [path for path in written if path.stat().st_mode & 0o077] == []


def test_a_second_server_of_a_class_on_the_same_runs_is_refused_and_the_first_goes_on(
    server: Server, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match="Another server has opened a class with the runs"):
        start_server(
            tmp_path,
            "classroom.py",
            GPT_LAB_CLASS_PORT="0",
            GPT_LAB_RUNS_DIR=str(server.runs_dir),
        )
    assert ask(server, "GET", "/train", join(server, "Late"))[0] == 200


def test_no_page_and_no_fragment_gets_by_the_membership_check() -> None:
    """Pages run from main.py behind its check; fragments are made in one place, which checks."""
    entry = (ROOT / "main.py").read_text()
    assert entry.index("require_member()") < entry.index("page.run()")
    for path in (*(ROOT / "dashboard").rglob("*.py"), *(ROOT / "pages").rglob("*.py")):
        made = _attributes_of_st(path) & {"fragment", "navigation", "dialog"}
        is_place = path == ROOT / "dashboard" / "app" / "fragments.py"
        assert made == ({"fragment"} if is_place else set()), path
    for path in ROOT.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "st.App":
                assert "MIDDLEWARE" in ast.unparse(call), path


def _attributes_of_st(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {
        n.attr
        for n in nodes
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == "st"
    }

"""Uploads through the real listener: who may send files, how many, and when they are gone."""

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Common_pb2 import (
    FileUploaderState,
    FileURLs,
    FileURLsRequest,
    UploadedFileInfo,
)
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates

from dashboard.app.uploads import MAX_PARALLEL
from dashboard.classroom.sessions import MAX_TABS
from gpt_core.access import ClassRules, write_rules
from gpt_core.store import RunStore
from tests.browser.conftest import Server, start_server
from tests.hostile.test_members import CODE, PASSPHRASE, Tab, ask, button_id, join, shown

pytestmark = pytest.mark.slow

NOT_ASKED = "No open page of yours asked for this upload."
LIMIT = ClassRules(most_upload_megabytes=1)
PART = b"x" * 700_000  # two exceed the limit
END = b"\r\n--part--\r\n"
START = (
    b'--part\r\nContent-Disposition: form-data; name="a.txt"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\n"
)


class UploadTab(Tab):
    """A tab that asks for the addresses of uploads, as the uploader does."""

    def ask_urls(self, *names: str) -> list[FileURLs]:
        self.send(BackMsg(file_urls_request=FileURLsRequest(request_id="1", file_names=names)))
        while True:
            message = ForwardMsg()
            message.ParseFromString(bytes(self._socket.recv(timeout=60)))
            if message.WhichOneof("type") == "file_urls_response":
                return list(message.file_urls_response.file_urls)

    def show_file(self, page: list[ForwardMsg], urls: FileURLs, size: int, *more: WidgetState):
        """Run the page with a file in its uploader, as the browser does once it is uploaded."""
        [uploader] = [
            m.delta.new_element.file_uploader.id
            for m in page
            if m.WhichOneof("type") == "delta" and m.delta.new_element.HasField("file_uploader")
        ]
        info = UploadedFileInfo(file_id=urls.file_id, name="a.txt", size=size, file_urls=urls)
        state = FileUploaderState(uploaded_file_info=[info])
        widgets = [WidgetState(id=uploader, file_uploader_state_value=state), *more]
        client = ClientState(page_name="data", widget_states=WidgetStates(widgets=widgets))
        return self.open(run=BackMsg(rerun_script=client))


def start_class(folder: Path, rules: ClassRules, **settings: str) -> Server:
    (folder / "runs").mkdir(mode=0o700)
    store = RunStore(folder / "runs")
    write_rules(store, rules, actor="teacher")
    store.close()
    codes = {"GPT_LAB_JOIN_CODE": CODE, "GPT_LAB_PASSPHRASE": PASSPHRASE}
    return start_server(folder, "classroom.py", GPT_LAB_CLASS_PORT="0", **codes, **settings)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_class(tmp_path_factory.mktemp("uploads"), LIMIT)
    yield server
    assert server.end() == 0
    assert "Traceback" not in server.log.read_text()


@pytest.fixture
def tabs(server: Server) -> Iterator[tuple[UploadTab, str, UploadTab, str]]:
    """A tab on the Data page, and the token, of each of two students."""
    ann, ben = join(server, "Ann"), join(server, "Ben")
    with ExitStack() as stack:
        opened = [UploadTab(server, token) for token in (ann, ben)]
        for tab in opened:
            stack.callback(tab.close)
            tab.open("data")
        yield opened[0], ann, opened[1], ben


def begin(
    server: Server,
    token: str,
    url: str,
    data: bytes,
    sent: int | None = None,
    says_length: bool = True,
) -> http.client.HTTPConnection:
    """Send the beginning of an upload, ``sent`` bytes of its file or all; without a length none."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    connection.request("GET", "/_stcore/health")
    answer = connection.getresponse()
    answer.read()
    xsrf = (answer.getheader("Set-Cookie") or "").partition(";")[0]
    connection.putrequest("PUT", url)
    length = str(len(START) + len(data) + len(END))
    for name, value in {
        "Cookie": f"gpt_lab_member={token}; {xsrf}",
        "X-Xsrftoken": xsrf.partition("=")[2],
        "Content-Type": "multipart/form-data; boundary=part",
        **({"Content-Length": length} if says_length else {"Transfer-Encoding": "chunked"}),
    }.items():
        connection.putheader(name, value)
    body = START + data[:sent] + (END if sent is None else b"")
    connection.endheaders(body if says_length else None)
    return connection


def upload(server: Server, token: str, url: str, data: bytes = PART) -> tuple[int, str]:
    """Upload a file; of a refused one only the beginning, whose answer is read."""
    with closing(begin(server, token, url, data, sent=0)) as connection:
        connection.sock.settimeout(1)
        try:
            connection.sock.recv(1, socket.MSG_PEEK)
        except TimeoutError:  # not refused
            connection.sock.settimeout(60)
            connection.sock.sendall(data + END)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_an_upload_needs_a_page_of_the_same_member_that_asked_for_it(
    server: Server, tabs: tuple[UploadTab, str, UploadTab, str]
) -> None:
    anns, ann, _, ben = tabs
    [urls] = anns.ask_urls("a.txt")
    invented = urls.upload_url[:-4] + "0000"
    assert upload(server, ann, invented) == (403, NOT_ASKED)
    assert upload(server, ben, urls.upload_url) == (403, NOT_ASKED)
    assert ask(server, "DELETE", urls.delete_url, ben) == (403, NOT_ASKED)
    assert upload(server, "", urls.upload_url)[0] == 401
    assert upload(server, ann, urls.upload_url)[0] == 204
    [later] = anns.ask_urls("b.txt")
    anns.close()
    assert upload(server, ann, later.upload_url) == (403, NOT_ASKED)


def test_an_upload_that_does_not_say_how_large_it_is_is_refused(
    server: Server, tabs: tuple[UploadTab, str, UploadTab, str]
) -> None:
    anns, ann, _, _ = tabs
    [urls] = anns.ask_urls("a.txt")
    with closing(begin(server, ann, urls.upload_url, PART, says_length=False)) as connection:
        answer = connection.getresponse()
        assert (answer.status, answer.read().decode()) == (
            411,
            "An upload must say how large it is.",
        )


def test_a_member_has_so_many_bytes_in_memory_until_they_are_saved_or_the_page_is_left(
    server: Server, tabs: tuple[UploadTab, str, UploadTab, str]
) -> None:
    anns, ann, bens, ben = tabs
    page = anns.open("data")
    first, second, third = anns.ask_urls(*"abc")
    assert upload(server, ann, first.upload_url)[0] == 204
    status, sentence = upload(server, ann, second.upload_url)
    assert status == 413
    assert sentence.startswith("Files that are not saved yet may have 1 MB together.")
    assert sentence in shown(anns.read_run()).replace("\\'", "'")
    assert upload(server, ben, bens.ask_urls("a")[0].upload_url)[0] == 204

    with_file = anns.show_file(page, first, len(PART))
    assert sentence in shown(with_file).replace("\\'", "'")  # still
    save = WidgetState(id=button_id(with_file, "Save this text"), trigger_value=True)
    anns.show_file(page, first, len(PART), save)
    assert upload(server, ann, second.upload_url)[0] == 204

    page = anns.open("data")
    anns.show_file(page, second, len(PART))
    assert upload(server, ann, third.upload_url)[0] == 413
    anns.read_run()
    anns.open("glossary")
    assert upload(server, ann, third.upload_url)[0] == 204


def test_a_member_has_so_many_uploads_at_once(
    server: Server, tabs: tuple[UploadTab, str, UploadTab, str]
) -> None:
    anns, ann, bens, ben = tabs
    *urls, one_more = anns.ask_urls(*map(str, range(MAX_PARALLEL + 1)))
    with ExitStack() as stack:
        for url in urls:
            stack.enter_context(closing(begin(server, ann, url.upload_url, b"x" * 100, sent=50)))
        time.sleep(0.5)
        assert upload(server, ann, one_more.upload_url)[0] == 429
        assert upload(server, ben, bens.ask_urls("a")[0].upload_url)[0] == 204
    time.sleep(0.5)
    assert upload(server, ann, one_more.upload_url, b"x")[0] == 204


@pytest.mark.whole_run
def test_an_upload_that_stalls_is_ended_and_leaves_nothing_in_memory_or_on_disk(
    tmp_path: Path,
) -> None:
    server = start_server(tmp_path)  # without a class, too
    tab = UploadTab(server, "")
    tab.open("data")
    data = b"x" * 3_000_000  # so long that Starlette puts it into a file
    stalled, whole = tab.ask_urls("a.txt", "b.txt")
    with closing(begin(server, "", stalled.upload_url, data, sent=2_000_000)) as connection:
        assert upload(server, "", whole.upload_url, data)[0] == 204
        assert len(unfinished_files(server)) == 1
        answer = connection.getresponse()
        assert answer.status == 408
        assert answer.read() == b"The file did not arrive in time: upload it again."
        assert "The file did not arrive in time" in shown(tab.read_run())
    assert unfinished_files(server) == []
    with closing(begin(server, "", stalled.upload_url, data, sent=2_000_000)) as connection:
        wait_for(lambda: len(unfinished_files(server)) == 1)
    wait_for(lambda: unfinished_files(server) == [])  # the client has gone
    assert upload(server, "", whole.upload_url[:-4] + "0000", data) == (403, NOT_ASKED)
    tab.close()
    assert server.end() == 0
    assert "Traceback" not in server.log.read_text()


def unfinished_files(server: Server) -> list[str]:
    """Return the temporary files of uploads that are still open."""
    links = Path(f"/proc/{server.process.pid}/fd").iterdir()
    names = [str(link.readlink()) for link in links if link.is_symlink()]
    return [name for name in names if name.endswith("(deleted)") and "/tmp" in name]


def wait_for(holds, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.whole_run
def test_the_memory_of_uploads_is_given_back_when_their_page_is_closed(tmp_path: Path) -> None:
    server = start_class(tmp_path, ClassRules(), STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL="2")
    upload_show_and_close(server, PART)
    time.sleep(5)  # what the start left free is given back, too: it must not count below
    before = memory(server)
    data = PART * 300  # 210 MB: the page holds it, and refuses to read it
    upload_show_and_close(server, data)
    assert memory(server) > before + 0.9 * len(data)
    wait_for(lambda: memory(server) < before + 0.5 * len(data))
    assert server.end() == 0
    assert "Traceback" not in server.log.read_text()


def upload_show_and_close(server: Server, data: bytes) -> None:
    token = join(server, "Ann")
    with closing(UploadTab(server, token)) as tab:
        page = tab.open("data")
        [urls] = tab.ask_urls("a.txt")
        assert upload(server, token, urls.upload_url, data)[0] == 204
        text = shown(tab.show_file(page, urls, len(data)))
        assert f"{len(data):,} characters" in text or "larger than 100 MB" in text


def memory(server: Server) -> int:
    return int(psutil.Process(server.process.pid).memory_info().rss)


@pytest.mark.whole_run
def test_ten_tabs_that_save_at_once_get_no_more_than_their_quota(tmp_path: Path) -> None:
    server = start_class(tmp_path, ClassRules(most_megabytes=1))
    token = join(server, "Ann")
    text = "A line of a text that is long enough.\n" * 11_000  # 0.42 MB: two are within the limit
    with ExitStack() as stack:
        tabs = [UploadTab(server, token) for _ in range(MAX_TABS)]
        for tab in tabs:
            stack.callback(tab.close)
        presses = [press_save(tab, f"{number} {text}") for number, tab in enumerate(tabs)]
        for tab, press in zip(tabs, presses, strict=True):
            tab.send(press)
        for tab in tabs:
            tab.read_run()
    assert len(list((server.runs_dir / "texts").glob("*.json"))) == 2
    assert server.end() == 0


def press_save(tab: Tab, text: str) -> BackMsg:
    """Paste a text into a tab's page; return the message that presses its button to save it."""
    page = tab.open("data")
    [area] = [
        m.delta.new_element.text_area.id
        for m in page
        if m.WhichOneof("type") == "delta" and m.delta.new_element.text_area.label == "Its text"
    ]
    pasted = WidgetState(id=area, string_value=text)

    def run(*widgets: WidgetState) -> BackMsg:
        state = ClientState(page_name="data", widget_states=WidgetStates(widgets=widgets))
        return BackMsg(rerun_script=state)

    button = button_id(tab.open(run=run(pasted)), "Save this text")
    return run(pasted, WidgetState(id=button, trigger_value=True))

"""Attacks of members: hostile files through the real uploader, greedy tabs, an open socket."""

import asyncio
import http.client
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Common_pb2 import FileURLs, FileURLsRequest
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus, WebSocketException

from benchmarks.classroom import TRAIN
from benchmarks.visitor import TITLES, Visitor, Widget
from dashboard.classroom.sessions import MAX_TABS
from gpt_core.access import ClassRules
from gpt_core.inference.generation_worker import MAX_TEXTS
from gpt_core.store import RunStore
from gpt_core.store.database import WATCH_SECONDS
from tests.faults.attack import Attacked, Outcome
from tests.hostile.test_members import (
    SENTENCE,
    Tab,
    button_id,
    every_kind_of_message,
    pressed,
    shown,
)
from tests.support.attack_files import DOCUMENTS, WEIGHTS

TABS = 40
PAUSE = 0.5  # seconds between two clicks in one tab
REFUSED = "That did not work"
MB = 2**20


class Uploader(Tab):
    """A page with an uploader, which files reach as a browser sends them."""

    def __init__(self, target: Attacked, token: str, page: str) -> None:
        super().__init__(target, token)  # type: ignore[arg-type]  # it needs its address alone
        self._url, self._page = target.url, page
        self._cookies = f"gpt_lab_member={token}; {_xsrf(target.url)}"
        [self._uploader] = [
            m.delta.new_element.file_uploader.id
            for m in self.open(page)
            if m.WhichOneof("type") == "delta" and m.delta.new_element.file_uploader.id
        ]
        self._state = WidgetState(id=self._uploader)

    def addresses(self, names: list[str]) -> list[FileURLs]:
        """Ask where to send files."""
        request = FileURLsRequest(request_id=uuid.uuid4().hex, file_names=names)
        self.send(BackMsg(file_urls_request=request))
        while True:
            message = ForwardMsg.FromString(bytes(self._socket.recv(timeout=60)))
            if message.WhichOneof("type") == "file_urls_response":
                return list(message.file_urls_response.file_urls)

    def request(self, address: FileURLs, name: str, size: int) -> tuple[bytes, bytes]:
        """Return what goes before and after a file's bytes in the request that sends it."""
        where, boundary = urlsplit(self._url).netloc, "a-boundary"
        begin = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        end = f"\r\n--{boundary}--\r\n".encode()
        token = self._cookies.partition("_streamlit_xsrf=")[2]
        head = (
            f"PUT {address.upload_url} HTTP/1.1\r\nHost: {where}\r\nCookie: {self._cookies}\r\n"
            f"X-Xsrftoken: {token}\r\nContent-Length: {len(begin) + size + len(end)}\r\n"
            f"Content-Type: multipart/form-data; boundary={boundary}\r\n\r\n"
        )
        return head.encode() + begin, end

    def upload(self, files: dict[str, bytes]) -> list[int]:
        """Send files; return the statuses of the answers."""
        statuses = []
        for (name, data), address in zip(files.items(), self.addresses(list(files)), strict=True):
            begin, end = self.request(address, name, len(data))
            statuses.append(_send(self._url, begin, data, end))
            self._state.file_uploader_state_value.uploaded_file_info.add(
                name=name, size=len(data), file_id=address.file_id, file_urls=address
            )
        return statuses

    def run(self, button: str = "") -> list[ForwardMsg]:
        """Let the page see what was uploaded, and press a button."""
        states = [self._state]
        if button:
            states.append(WidgetState(id=button, trigger_value=True))
        state = ClientState(page_name=self._page, widget_states=WidgetStates(widgets=states))
        self.send(BackMsg(rerun_script=state))
        return self.read_run()


def _xsrf(url: str) -> str:
    """Return the cookie that an upload must repeat in a header."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)) as asked:
        asked.request("GET", "/_stcore/health")
        return str(asked.getresponse().getheader("Set-Cookie")).partition(";")[0]


def _send(url: str, begin: bytes, data: bytes, end: bytes) -> int:
    """Send a request; return the status of its answer, 0 if the connection was closed."""
    where = urlsplit(url)
    with closing(http.client.HTTPConnection(where.netloc, timeout=60)) as asked:
        asked.connect()
        try:
            for part in (begin, data, end):
                asked.sock.sendall(part)
            return int(asked.sock.recv(4096).split()[1])
        except (OSError, IndexError):
            return 0


def hostile_weights(files: dict[str, Callable[[], bytes]], target: Attacked) -> Outcome:
    """Bring in weights by Weights, "Add this model"."""
    made = {name: make() for name, make in files.items()}
    tab = Uploader(target, target.token(), "weights")
    outcome = Outcome()
    tab.upload(made)
    answer = tab.run(button_id(tab.run(), "Add this model"))
    return _told(outcome, tab, shown(answer))


def hostile_document(files: dict[str, Callable[[], bytes]], target: Attacked) -> Outcome:
    """Bring in a text by Data, "Use your own text"."""
    made = {name: make() for name, make in files.items()}
    tab = Uploader(target, target.token(), "data")
    outcome = Outcome()
    tab.upload(made)
    return _told(outcome, tab, shown(tab.run()))


def _told(outcome: Outcome, tab: Tab, answer: str) -> Outcome:
    """Return what a page said of a file: a sentence, or what was read of it."""
    tab.close()
    seconds = time.monotonic() - outcome.began
    bodies = re.findall(r'body: "((?:[^"\\]|\\.)*)"', answer)
    told = [body for body in bodies if "It begins" in body or "The model is here" in body]
    refusals = [number for number, body in enumerate(bodies) if REFUSED in body]
    told += [bodies[number + 1] for number in refusals]
    words = told[0][:200] if told else "nothing"
    return outcome.end(f"After {seconds:.1f} s: {words}", the_page_answers=bool(told))


def slow_uploads(target: Attacked) -> Outcome:
    """Begin twenty uploads of 100 MB, and send a little of each now and then."""
    tab = Uploader(target, target.token(), "data")
    addresses = tab.addresses([f"{number}.txt" for number in range(20)])
    outcome = Outcome()
    with ExitStack() as stack:
        senders = []
        for address in addresses:
            asked = http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=30)
            stack.enter_context(closing(asked))
            asked.connect()
            asked.sock.sendall(tab.request(address, "a.txt", 100 * MB)[0])
            senders.append(asked.sock)
        sent, refused = 0, set()
        until = time.monotonic() + target.seconds
        while time.monotonic() < until:
            for sender in senders:
                try:
                    sender.sendall(bytes(2**14))
                    sent += 2**14
                except OSError:
                    refused.add(sender)
            time.sleep(0.1)
    tab.close()
    return outcome.end(
        f"20 uploads at once, {sent / MB:.0f} MB sent in {target.seconds:.0f} s; the server has "
        f"closed {len(refused)} of them."
    )


def large_uploads(target: Attacked) -> Outcome:
    """Upload 800 MB in eight files, and close the tab."""
    tab = Uploader(target, target.token(), "weights")
    outcome = Outcome()
    statuses = tab.upload({f"part-{number}.bin": bytes(100 * MB) for number in range(8)})
    tab.close()
    return outcome.end(f"8 uploads of 100 MB each, answers {dict(Counter(statuses))}.")


@dataclass
class GreedyTab:
    """A tab that clicks and does not look at what it gets."""

    target: Attacked
    cookie: str
    clicks: int = 0
    is_refused: bool = False

    async def click(self, seconds: float) -> None:
        """Open the page of the run, and choose another axis again and again."""
        page = Visitor(self.target.url, self.cookie, "Greedy", TRAIN, f"run={self.target.run_id}")
        try:
            await page.open()
        except InvalidStatus:
            self.is_refused = True
            return
        await page.wait_for("Against")
        assert page.socket is not None
        until = time.monotonic() + seconds
        with suppress(WebSocketException):
            hears = asyncio.create_task(_hear(page.socket))
            while time.monotonic() < until:
                await page.choose_axis(list(TITLES)[self.clicks % len(TITLES)])
                self.clicks += 1
                await asyncio.sleep(PAUSE)
            hears.cancel()
            await page.socket.close()


async def _hear(socket: ClientConnection) -> None:
    """Take what comes, without looking at it."""
    with suppress(WebSocketException):
        while True:
            await socket.recv()


def forty_tabs(target: Attacked) -> Outcome:
    """Let one student open forty tabs of the live run and click twice a second in all of them."""
    outcome = Outcome()
    tabs = [GreedyTab(target, target.cookies[0]) for _ in range(TABS)]

    async def click() -> None:
        await asyncio.gather(*(tab.click(target.seconds) for tab in tabs))

    asyncio.run(click())
    refused = sum(tab.is_refused for tab in tabs)
    return outcome.end(
        f"{TABS - refused} of {TABS} tabs open, {sum(tab.clicks for tab in tabs)} clicks in "
        f"{time.monotonic() - outcome.began:.0f} s.",
        a_student_has_a_limited_number_of_tabs=refused == TABS - MAX_TABS,
    )


class Writer(Visitor):
    """A tab of Generate."""

    is_busy: bool = False

    def _see(self, element: Element, fragment: str) -> None:
        super()._see(element, fragment)
        if element.WhichOneof("type") == "number_input":
            self.widgets[element.number_input.label] = Widget(element.number_input.id, fragment)
        if element.WhichOneof("type") == "button" and element.button.label == "Write":
            self.is_busy = element.button.disabled

    async def prepare(self, tokens: int, settings: int) -> None:
        """Open the page, and set how many tokens and settings."""
        await self.open()
        await self.wait_for("Write")
        await self.live(time.perf_counter() + 2)
        for label, value in (("Tokens", float(tokens)), ("Settings side by side", settings)):
            state = WidgetState(id=self.widgets[label].id)
            if label == "Tokens":
                state.double_value = value
            else:
                state.string_array_value.data.append(str(settings))
            self.states[state.id] = state
        await self._ask()
        await self.live(time.perf_counter() + 2)

    async def write(self, until: float) -> float:
        """Press "Write" and wait; return the seconds that it took, or until the end."""
        began = time.monotonic()
        self.is_busy = True  # until the page says otherwise
        await self.click("Write")
        while self.is_busy and time.monotonic() < until:
            await self.live(time.perf_counter() + 0.1)
        return time.monotonic() - began


def many_texts(target: Attacked) -> Outcome:
    """Let one student have 24 long texts written, while another asks for one of 40 tokens."""
    return asyncio.run(_many_texts(target))


async def _many_texts(target: Attacked) -> Outcome:
    greedy = [
        Writer(target.url, target.cookies[0], "Greedy", "generate") for _ in range(MAX_TEXTS // 3)
    ]
    other = Writer(target.url, target.cookies[1], "Other", "generate")
    await asyncio.gather(other.prepare(40, 1), *(tab.prepare(500, 3) for tab in greedy))
    alone = await other.write(time.monotonic() + 60)
    outcome = Outcome()
    until = time.monotonic() + max(target.seconds, 60)
    writing = [asyncio.create_task(tab.write(until)) for tab in greedy]
    await asyncio.sleep(3)
    beside = await other.write(until)
    await asyncio.sleep(max(0, target.seconds - (time.monotonic() - outcome.began)))
    outcome.end(
        f"{3 * len(greedy)} texts of 500 tokens are written; another's of 40 takes {beside:.1f} s, "
        f"and {alone:.1f} s without them.",
        another_waits_little_longer=beside < max(30.0, 3 * alone),
    )
    for task in writing:
        task.cancel()
    await asyncio.gather(*writing, return_exceptions=True)
    for tab in greedy:
        if "Stop" in tab.widgets:
            await tab.click("Stop")
            await tab.live(time.perf_counter() + 0.5)
    for tab in (other, *greedy):
        if tab.socket is not None:
            await tab.socket.close()
    return outcome


@contextmanager
def _tabs(
    target: Attacked, number: int, page: str = ""
) -> Iterator[list[tuple[Tab, list[ForwardMsg]]]]:
    with ExitStack() as stack:
        found = []
        for _ in range(number):
            tab = Tab(target, target.token())  # type: ignore[arg-type]
            stack.callback(tab.close)
            found.append((tab, tab.open(page)))
        yield found


def simultaneous_requests(target: Attacked) -> Outcome:
    """Let one student press "Train a small GPT now" in ten tabs at the same moment."""
    with _tabs(target, MAX_TABS) as tabs:
        presses = [
            (tab, pressed(button_id(messages, "Train a small GPT now"))) for tab, messages in tabs
        ]
        outcome = Outcome()
        with ThreadPoolExecutor(MAX_TABS) as pool:
            list(pool.map(lambda press: press[0].open(run=press[1]), presses))
    with closing(RunStore(target.runs_dir)) as store:
        member_id = _member_id(store, target)
        own = sum(run.owner == member_id for run in store.runs())
    most = ClassRules().most_runs
    return outcome.end(
        f"{MAX_TABS} clicks at once start {own} runs; {most} are allowed.",
        the_quota_holds=own <= (most or 0),
        it_can_be_used=own > 0,
    )


def _member_id(store: RunStore, target: Attacked) -> str:
    """Return the ID of the first member who attacks."""
    [member_id] = {m.member_id for m in store.class_store.members() if m.name == target.names[0]}
    return str(member_id)


def held_socket(target: Attacked) -> Outcome:
    """Hold on to an open page after the teacher has removed its student, and send all it can."""
    with _tabs(target, 1) as [(tab, messages)], closing(RunStore(target.runs_dir)) as store:
        member_id = _member_id(store, target)
        store.class_store.revoke_member(member_id, "teacher")
        time.sleep(2 * WATCH_SECONDS)  # the server is another process
        outcome = Outcome()
        answers: Counter[bool] = Counter()
        until = time.monotonic() + target.seconds
        while time.monotonic() < until:
            for message in every_kind_of_message(messages):
                answers[SENTENCE in shown(tab.open(run=message))] += 1
        runs = [run for run in store.runs() if run.owner in (member_id, "nobody")]
    return outcome.end(
        f"{answers.total()} messages, {answers[True]} of them answered by “{SENTENCE}”.",
        each_gets_the_sentence=not answers[False],
        no_run_starts=not runs,
    )


ATTACKS: dict[str, Callable[[Attacked], Outcome]] = {
    "twenty slow uploads": slow_uploads,
    "uploads of 800 MB": large_uploads,
    **{name: partial(hostile_weights, files) for name, files in WEIGHTS.items()},
    **{name: partial(hostile_document, files) for name, files in DOCUMENTS.items()},
    "one student with 40 tabs": forty_tabs,
    "24 texts of one student": many_texts,
    "ten clicks on Train at once": simultaneous_requests,
    "open page of who was removed": held_socket,
}

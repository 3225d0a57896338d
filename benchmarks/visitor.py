"""A browser tab without a browser: what the class of ``benchmarks.classroom`` is made of."""

import asyncio
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from dashboard.charts import AXES

TITLES = {"Epochs": "epochs", "Steps": "global_step", "Tokens": "tokens_seen", "Minutes": "minutes"}
MAX_WAIT = 60.0  # seconds, for a button to appear
HOME = ""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The answer at the door is a redirect with a cookie."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


def enter(url: str, **fields: str) -> str:
    """Go through the door; return the cookie."""
    body = urllib.parse.urlencode(fields).encode()
    try:
        urllib.request.build_opener(NoRedirect).open(f"{url}/join", body, timeout=20)
    except urllib.error.HTTPError as answer:
        return str(answer.headers["Set-Cookie"]).split(";")[0]
    raise AssertionError("no student could join the class")


@dataclass
class Widget:
    """A button or a choice on a page, as its front end knows it."""

    id: str
    fragment: str


@dataclass
class Visitor:
    """One browser tab without a browser."""

    url: str
    cookie: str
    name: str
    page: str = HOME
    query: str = ""
    page_hash: str = ""
    widgets: dict[str, Widget] = field(default_factory=dict)  # by label
    states: dict[str, WidgetState] = field(default_factory=dict)  # what was chosen, by widget
    due: dict[str, tuple[float, float]] = field(default_factory=dict)  # next time, interval
    buttons_of: set[str] = field(default_factory=set)  # runs for which a button was shown
    axis: str = "Epochs"  # what the chart is to be drawn against
    awaited: float = 0.0  # when another was clicked that is not seen yet
    clicks: list[float] = field(default_factory=list)  # seconds
    faults: list[str] = field(default_factory=list)
    ticks: int = 0
    is_asking: bool = False
    socket: ClientConnection | None = None

    async def open(self) -> None:
        """Open the page, or open it again: a new session with the same cookie."""
        if self.socket is not None:
            await self.socket.close()
        self.widgets.clear()
        self.states.clear()
        self.due.clear()
        self.axis, self.awaited = "Epochs", 0.0
        self.socket = await connect(
            self.url.replace("http", "ws", 1) + "/_stcore/stream",
            subprotocols=[Subprotocol("streamlit")],
            additional_headers={"Cookie": self.cookie},
            max_size=None,
            compression=None,
        )
        await self._ask()

    async def wait_for(self, label: str) -> None:
        """Hear what comes until a widget is there: on a busy machine a page takes its time."""
        until = time.perf_counter() + MAX_WAIT
        while label not in self.widgets:
            assert time.perf_counter() < until, f"{self.name} waits for {label!r}"
            await self.live(time.perf_counter() + 0.2)

    async def click(self, label: str) -> None:
        """Press a button."""
        await self.wait_for(label)
        widget = self.widgets[label]
        await self._ask(widget.fragment, WidgetState(id=widget.id, trigger_value=True))

    async def choose_axis(self, label: str) -> None:
        """Have the chart drawn against something else."""
        widget = self.widgets["Against"]
        state = WidgetState(id=widget.id)
        state.string_array_value.data.append(label)
        self.states[widget.id] = state
        self.axis, self.awaited = label, time.perf_counter()
        await self._ask(widget.fragment)

    async def live(self, until: float) -> None:
        """Hear what comes, and let the page's fragments run when they are due."""
        assert self.socket is not None
        while (now := time.perf_counter()) < until:
            fragment = min(self.due, key=lambda name: self.due[name][0], default="")
            wait = self.due[fragment][0] - now if fragment else 1.0
            if fragment and not self.is_asking and wait <= 0:
                self.due[fragment] = (now + self.due[fragment][1], self.due[fragment][1])
                await self._ask(fragment, auto=True)
                continue
            wait = min(1.0 if self.is_asking else max(0.001, wait), max(0.001, until - now))
            try:
                data = await asyncio.wait_for(self.socket.recv(), wait)
            except TimeoutError:
                continue
            assert isinstance(data, bytes)
            self._hear(ForwardMsg.FromString(data))

    async def _ask(self, fragment: str = "", *more: WidgetState, auto: bool = False) -> None:
        assert self.socket is not None
        message = BackMsg()
        ask = message.rerun_script
        ask.query_string, ask.page_script_hash = self.query, self.page_hash
        ask.page_name = "" if fragment else self.page
        ask.fragment_id, ask.is_auto_rerun = fragment, auto
        ask.widget_states.widgets.extend([*self.states.values(), *more])
        self.is_asking = True
        await self.socket.send(message.SerializeToString())

    def _hear(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "navigation":
            self.page_hash = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "stop_auto_rerun":
            self.due.clear()
        elif kind == "auto_rerun":
            interval = message.auto_rerun.interval
            self.due[message.auto_rerun.fragment_id] = (time.perf_counter() + interval, interval)
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._see(message.delta.new_element, message.delta.fragment_id)
        elif kind == "script_finished":
            self.is_asking = False
            self.ticks += 1

    def _see(self, element: Element, fragment: str) -> None:
        kind = element.WhichOneof("type")
        if kind == "exception":
            self.faults.append(f"{self.name}: {element.exception.message}")
        elif kind == "button":
            self.widgets[element.button.label] = Widget(element.button.id, fragment)
            for part in ("Pause ", "Stop ", "Resume "):  # a run's button has its ID in its key
                if part in element.button.id:
                    self.buttons_of.add(element.button.id.split(part)[1].split(" ")[0])
        elif kind == "button_group":
            group = element.button_group
            self.widgets[group.label] = Widget(group.id, fragment)
        elif kind == "bidi_component":
            self._see_chart(element.bidi_component.json)

    def _see_chart(self, data: str) -> None:
        facts = json.loads(data or "{}")
        if "figure" not in facts or "save_as" not in facts or not facts["save_as"]:
            return
        figure = json.loads(facts["figure"])
        shown = figure["layout"]["xaxis"]["title"]["text"]
        if shown == AXES[TITLES[self.axis]]:
            if self.awaited:
                self.clicks.append(time.perf_counter() - self.awaited)
                self.awaited = 0.0
        elif not self.awaited:
            self.faults.append(f"{self.name}: chose {self.axis}, and the chart shows {shown}")

"""A class that trains, with a teacher and students, and what they notice while it is attacked.

A real server, a run without end, and clients over websockets as browsers are. Measured all the
time, so that any two moments can be compared afterwards: how long ``/health`` takes, how long a
student's click until the chart that it asks for, steps on record, memory of the server and its
children.
"""

import asyncio
import http.client
import random
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from websockets.exceptions import WebSocketException

from benchmarks.classroom import CODE, PASSPHRASE, TRAIN, pace_between, prepare, steps_done
from benchmarks.visitor import TITLES, Visitor, enter
from gpt_core.store import RunState, RunStore
from tests.browser.conftest import Server, start_server
from tests.faults.kill_and_resume import Seen, count_missing, is_sound, read_everything
from tests.support.ports import free_port

STUDENTS = 4  # who follow the lesson and harm nobody
CLICK_SECONDS = 4.0  # between a student's clicks, on average
HEALTH_SECONDS, SAMPLE_SECONDS = 0.1, 0.5  # between two measurements
JOIN_TRIES = 6
NO_ANSWER = 30.0  # seconds after which a request counts as lost
MB = 1e6


@dataclass(frozen=True)
class Sample:
    """Where the class is at a moment."""

    at: float
    steps: int
    memory: float  # bytes, of the server and its children


@dataclass(frozen=True)
class Noticed:
    """What the class noticed between two moments."""

    health_p99: float  # seconds
    health_max: float
    click_median: float  # seconds; nan without a click
    click_max: float
    steps_a_second: float
    memory: float  # bytes, the maximum


@dataclass
class Student:
    """An ordinary student: follows the run, and now and then looks at it against another axis."""

    visitor: Visitor
    rng: random.Random
    clicked: float = 0.0
    clicks: list[tuple[float, float]] = field(default_factory=list)  # when, and seconds
    lost: list[str] = field(default_factory=list)  # why their page had to be opened again

    async def live(self, has_ended: threading.Event) -> None:
        """Follow the lesson; open the page again where the connection is lost."""
        while not has_ended.is_set():
            try:
                await self.visitor.open()
                await self._follow(has_ended)
            except (WebSocketException, OSError, AssertionError) as error:
                if not has_ended.is_set():
                    self.lost.append(f"{self.visitor.name} lost the page: {error!r}")
                    await asyncio.sleep(1)

    async def _follow(self, has_ended: threading.Event) -> None:
        next_click = time.perf_counter() + self.rng.uniform(2, 2 + CLICK_SECONDS)
        while not has_ended.is_set():
            await self.visitor.live(time.perf_counter() + 0.2)
            self._note_click()
            now = time.perf_counter()
            if now > next_click and not self.visitor.awaited and "Against" in self.visitor.widgets:
                self.clicked = time.monotonic()
                others = [axis for axis in TITLES if axis != self.visitor.axis]
                await self.visitor.choose_axis(self.rng.choice(others))
                next_click = now + self.rng.uniform(0.5, 1.5) * CLICK_SECONDS

    def _note_click(self) -> None:
        if len(self.visitor.clicks) > len(self.clicks):
            self.clicks.append((self.clicked, self.visitor.clicks[-1]))

    def waiting(self, until: float) -> list[tuple[float, float]]:
        """Return the click that has no answer yet, with the seconds it has waited so far."""
        clicked = self.clicked
        return [(clicked, until - clicked)] if self.visitor.awaited and clicked < until else []


class WatchedClass:
    """A class under way, in a folder of its own."""

    def __init__(self, server: Server, port: int, run_id: str, folder: Path) -> None:
        self.server, self.port, self.run_id, self.folder = server, port, run_id, folder
        self.url = f"http://127.0.0.1:{port}"
        self.store = RunStore(server.runs_dir)
        self.samples: list[Sample] = []
        self.health: list[tuple[float, float]] = []  # when, and seconds
        self.attacked: list[str] = []  # the names of the attacks so far
        self.seen: Seen = {}  # rows of the run that were read once, and must never be missing
        self.students = [
            Student(Visitor(self.url, self.join(f"Student {i}"), f"Student {i}", TRAIN), _rng(i))
            for i in range(STUDENTS)
        ]
        self.teacher = Visitor(self.url, enter(self.url, passphrase=PASSPHRASE), "Teacher", TRAIN)
        for visitor in (self.teacher, *(student.visitor for student in self.students)):
            visitor.query = f"run={run_id}"
        self._has_ended = threading.Event()
        self._threads = [
            threading.Thread(target=watch, daemon=True)
            for watch in (self._ask_for_health, self._sample, self._live)
        ]

    def join(self, name: str) -> str:
        """Let a student in; return their cookie. A crowd that has just come makes them wait."""
        for _ in range(JOIN_TRIES):
            with suppress(AssertionError, OSError):
                return enter(self.url, name=name, code=CODE)
            time.sleep(10)
        raise AssertionError(f"{name} cannot join")

    def begin(self) -> None:
        """Let the teacher start the run, and everybody follow it."""
        asyncio.run(self._resume())
        for thread in self._threads:
            thread.start()

    async def _resume(self) -> None:
        await self.teacher.open()
        await self.teacher.live(time.perf_counter() + 6)
        await self.teacher.click("Resume")
        await self.teacher.live(time.perf_counter() + 4)
        assert self.teacher.socket is not None
        await self.teacher.socket.close()
        self.teacher.socket = None  # it is opened again in another event loop
        self.teacher.page, self.teacher.page_hash, self.teacher.query = "classroom", "", ""

    def _live(self) -> None:
        async def live() -> None:
            teacher = Student(self.teacher, _rng(99))  # who watches the wall: it has no such axis
            await asyncio.gather(*(s.live(self._has_ended) for s in (teacher, *self.students)))

        asyncio.run(live())

    def _ask_for_health(self) -> None:
        while not self._has_ended.wait(HEALTH_SECONDS):
            began = time.monotonic()
            seconds = NO_ANSWER
            with (
                suppress(OSError, http.client.HTTPException),
                closing(
                    http.client.HTTPConnection("127.0.0.1", self.port, timeout=NO_ANSWER)
                ) as asked,
            ):
                asked.request("GET", "/_stcore/health")
                if asked.getresponse().status == 200:
                    seconds = time.monotonic() - began
            self.health.append((began, seconds))

    def _sample(self) -> None:
        while not self._has_ended.wait(SAMPLE_SECONDS):
            at = time.monotonic()
            self.samples.append(Sample(at, steps_done(self.store)[0], self._memory()))
            read_everything(self.store, self.seen, self.run_id)

    def _memory(self) -> float:
        total = 0.0
        with suppress(psutil.Error):
            server = psutil.Process(self.server.process.pid)
            for process in (server, *server.children(recursive=True)):
                with suppress(psutil.Error):
                    total += process.memory_info().rss
        return total

    def noticed(self, began: float, ended: float) -> Noticed:
        """Return what the class noticed between two moments of the monotonic clock."""
        healths = sorted(s for at, s in self.health if began <= at < ended) or [NO_ANSWER]
        clicks = [
            seconds
            for student in self.students
            for at, seconds in (*student.clicks, *student.waiting(ended))
            if began <= at < ended
        ]
        samples = [s for s in self.samples if began <= s.at <= ended + SAMPLE_SECONDS]
        first, last = samples[0], samples[-1]
        return Noticed(
            health_p99=healths[min(len(healths) - 1, int(0.99 * len(healths)))],
            health_max=healths[-1],
            click_median=statistics.median(clicks) if clicks else float("nan"),
            click_max=max(clicks, default=float("nan")),
            steps_a_second=pace_between((first.steps, first.at), (last.steps, last.at)),
            memory=max(s.memory for s in samples),
        )

    def wait_for_memory(self, below: float, seconds: float) -> float:
        """Wait until the memory is below so many bytes, or some seconds; return what it is."""
        deadline = time.monotonic() + seconds
        while (memory := self.samples[-1].memory) > below and time.monotonic() < deadline:
            time.sleep(SAMPLE_SECONDS)
        return memory

    def faults(self) -> list[str]:
        """Return what others had to notice: error boxes, lost pages, lost rows."""
        found = [fault for s in self.students for fault in (*s.visitor.faults, *s.lost)]
        found += [fault for fault in self.teacher.faults if "the chart shows" not in fault]
        if missing := count_missing(self.store, self.seen, self.run_id):
            found.append(f"{missing} rows of the run are lost or different")
        return found

    def state(self) -> RunState:
        """Return the state of the class's run."""
        run = self.store.run(self.run_id)
        assert run is not None
        return run.state

    def end(self) -> list[str]:
        """End the server as a supervisor does; return what went wrong."""
        self._has_ended.set()
        for thread in self._threads:
            thread.join(timeout=NO_ANSWER)
        began = time.monotonic()
        self.server.process.send_signal(signal.SIGTERM)
        saved = float("nan")
        while self.server.process.poll() is None and time.monotonic() < began + 60:
            if saved != saved and self.state() is RunState.INTERRUPTED:
                saved = time.monotonic() - began
            time.sleep(0.02)
        ended = time.monotonic() - began
        print(f"SIGTERM: saved after {saved:.1f} s, ended after {ended:.1f} s", flush=True)
        found = []
        if (code := self.server.end()) != 0:
            found.append(f"the server ended with code {code}")
        if self.state() is not RunState.INTERRUPTED:
            found.append(f"the run is {self.state()}, not interrupted")
        steps = max(row.global_step for row in self.store.last_steps(self.run_id, 1))
        whole = [c.global_step for c in self.store.checkpoints(self.run_id) if c.kind == "whole"]
        if max(whole, default=0) < steps:
            found.append(f"saved are {whole} of {steps} steps")
        if count_missing(self.store, self.seen, self.run_id) or not is_sound(self.store):
            found.append("rows of the run are lost")
        self.store.close()
        return found


def _rng(number: int) -> random.Random:
    return random.Random(number)


@contextmanager
def watched_class(folder: Path, **settings: str) -> Iterator[WatchedClass]:
    """A class whose run trains and whose students follow it; it is ended if it still runs."""
    run_id, port = prepare(folder), free_port()
    codes = {"GPT_LAB_JOIN_CODE": CODE, "GPT_LAB_PASSPHRASE": PASSPHRASE}
    ports = {"GPT_LAB_CLASS_PORT": str(port), "GPT_LAB_ACTIVE_RUNS": "1"}
    server = start_server(folder, "classroom.py", **codes, **ports, **settings)
    try:
        lesson = WatchedClass(server, port, run_id, folder)
        lesson.begin()
        yield lesson
    finally:
        server.end()

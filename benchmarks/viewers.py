"""Open pages without a browser: websocket clients that ask as Streamlit's own front end does.

``python -m benchmarks.viewers URL QUERY COUNT SECONDS`` opens the Train page so often, lets each of
its fragments run at the interval that the server has set, and prints what came of it as JSON.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

LARGE = 100_000  # bytes: no message of that size says anything about a fragment's interval


@dataclass
class Viewer:
    """One open page: what it has received, and when its fragments run next."""

    query: str
    page: str = ""
    received: int = 0  # bytes
    ticks: int = 0
    answers: list[float] = field(default_factory=list)  # seconds from asking to the last message
    due: dict[str, tuple[float, float]] = field(default_factory=dict)  # next time, interval

    def question(self, fragment: str = "") -> bytes:
        """Return the message that asks for the page, or for one of its fragments."""
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_name = "" if fragment else "train"
        message.rerun_script.page_script_hash = self.page
        if fragment:
            message.rerun_script.fragment_id = fragment
            message.rerun_script.is_auto_rerun = True
        return message.SerializeToString()

    async def watch(self, url: str, until: float) -> None:
        """Open the page and let its fragments run until a moment."""
        address = url.replace("http", "ws", 1) + "/_stcore/stream"
        async with connect(
            address, subprotocols=[Subprotocol("streamlit")], max_size=None, compression=None
        ) as socket:
            await socket.send(self.question())
            asked = time.perf_counter()
            is_asking = True
            while time.perf_counter() < until:
                now = time.perf_counter()
                fragment = min(self.due, key=lambda name: self.due[name][0], default="")
                wait = self.due[fragment][0] - now if fragment else 1.0
                if fragment and not is_asking and wait <= 0:
                    interval = self.due[fragment][1]
                    self.due[fragment] = (now + interval, interval)
                    await socket.send(self.question(fragment))
                    asked, is_asking = now, True
                try:
                    timeout = 1.0 if is_asking else max(0.001, wait)
                    data = await asyncio.wait_for(socket.recv(), timeout)
                except TimeoutError:
                    continue
                assert isinstance(data, bytes)
                if self._hear(data):
                    is_asking = False
                    self.ticks += 1
                    self.answers.append(time.perf_counter() - asked)

    def _hear(self, data: bytes) -> bool:
        """Take in one message; tell whether it ends an answer."""
        self.received += len(data)
        if len(data) > LARGE:
            return False
        message = ForwardMsg.FromString(data)
        kind = message.WhichOneof("type")
        if kind == "navigation":
            self.page = message.navigation.page_script_hash
        elif kind == "stop_auto_rerun":
            self.due.clear()
        elif kind == "auto_rerun":
            interval = message.auto_rerun.interval
            self.due[message.auto_rerun.fragment_id] = (time.perf_counter() + interval, interval)
        return kind == "script_finished"


async def watch_together(url: str, query: str, count: int, seconds: float) -> dict[str, float]:
    """Open pages one after another, watch for some seconds, and count."""
    viewers = [Viewer(query) for _ in range(count)]
    until = time.perf_counter() + seconds
    tasks = []
    for viewer in viewers:
        tasks.append(asyncio.create_task(viewer.watch(url, until)))
        await asyncio.sleep(0.05)  # thirty students do not click in the same millisecond
    await asyncio.gather(*tasks)
    answers = sorted(answer for viewer in viewers for answer in viewer.answers)
    return {
        "ticks": sum(viewer.ticks for viewer in viewers),
        "kib": sum(viewer.received for viewer in viewers) / 1024,
        "median_answer_ms": 1000 * answers[len(answers) // 2] if answers else 0.0,
    }


def main() -> None:
    """Watch, and print what was received."""
    url, query, count, seconds = sys.argv[1:]
    result = asyncio.run(watch_together(url, query, int(count), float(seconds)))
    print(json.dumps({**result, "cpu_seconds": time.process_time()}))


if __name__ == "__main__":
    main()

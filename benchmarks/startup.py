"""From a command to a page, from a button to a curve: ``python -m benchmarks.startup``.

Start: seconds until ``import torch`` is done (A), until ``import gpt_core`` is done, until
``streamlit run app.py`` has sent its first page whole to a client (B), and until a Chromium that is
already open shows it; by turns. First run: from the press of Home's button, two seconds after the
page came, to the first point on the screen, and to the end of the whole run while that page
watches. Files are read once before, so that the disk's cache is warm.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from benchmarks.pairs import print_result
from gpt_core.store import RunStore
from tests.browser.conftest import CHROMIUM_FLAGS, open_page, start_server

ROUNDS = 2


def seconds_of(code: str) -> float:
    """Return how long a fresh Python takes to run some code."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def seconds_to_serve() -> float:
    """Return how long a fresh server takes to send its first page whole."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        server = start_server(Path(folder))
        address = server.url.replace("http", "ws", 1) + "/_stcore/stream"
        with connect(address, subprotocols=[Subprotocol("streamlit")], max_size=None) as socket:
            question, answer = BackMsg(), ForwardMsg()
            question.rerun_script.query_string = ""
            socket.send(question.SerializeToString())
            # The very first run of a server's life is ended early and run again (runtime.py).
            while answer.script_finished != ForwardMsg.FINISHED_SUCCESSFULLY or (
                answer.WhichOneof("type") != "script_finished"
            ):
                answer.ParseFromString(socket.recv())
        seconds = time.perf_counter() - began
        server.end()
        return seconds


def measure_app(browser: Browser) -> dict[str, float]:
    """Return the seconds to the first page, to the first point and to the end of the first run."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        server = start_server(Path(folder))
        page = browser.new_page()
        open_page(page, server.url)
        page.get_by_role("button", name="Train a small GPT now").wait_for()
        first_page = time.perf_counter() - began

        time.sleep(2)
        pressed, pressed_at = time.perf_counter(), time.time()
        page.get_by_role("button", name="Train a small GPT now").click()
        page.locator(".js-plotly-plot [class*=scatterlayer] .point").first.wait_for(timeout=60_000)
        first_point = time.perf_counter() - pressed
        store = RunStore(server.runs_dir)
        while (run := store.latest_run()) is None or run.state in ("queued", "running"):
            time.sleep(0.2)
        assert run.state == "finished", run.message
        result = {
            "first_page_on_screen": first_page,
            "first_point": first_point,
            "whole_first_run": run.state_at - pressed_at,
        }
        store.close()
        page.close()
        server.end()
        return result


def main() -> None:
    """Measure by turns and print the medians."""
    rounds = []
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        measure_app(browser)  # reads every file once
        for _ in range(ROUNDS):
            imports = {
                "import_torch": seconds_of("import torch"),
                "import_gpt_core": seconds_of("import gpt_core"),
                "first_page_served": seconds_to_serve(),
            }
            rounds.append(imports | measure_app(browser))
        browser.close()
    medians = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    more = statistics.median(r["first_page_served"] - r["import_torch"] for r in rounds)
    print_result(
        benchmark="startup",
        served_after_import_torch=round(more, 2),
        seconds={name: round(value, 2) for name, value in medians.items()},
    )


if __name__ == "__main__":
    main()

"""What watching costs: ``python -m benchmarks.dashboard [--minutes 30]``.

Speed: training steps per second with 0, 1, 10 and 30 websocket clients on the Train page (B), each
beside blocks without any (A), by turns in one run of the pocket preset. The clients compute on the
same cores, which students' laptops would not; how much they take is printed too.
Tick: the server's CPU time and the bytes of one second's redraw (page and sidebar) for one viewer
of a run with 100, 2,000 and 100,000 steps and as many evaluations, which nobody trains meanwhile.
Memory: the server's, minute by minute, while five clients watch a run (only with ``--minutes``).
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import sync_playwright

from benchmarks.pairs import print_result
from gpt_core.presets import PRESETS
from gpt_core.records import EvaluationRecord, SampleRecord, StepRecord
from gpt_core.store import RunState, RunStore
from gpt_core.store.run_locks import acquire_run_lock
from gpt_core.text import load_text
from tests.browser.conftest import CHROMIUM_FLAGS, Server, open_page, set_epochs, start_server

COUNTS, ROUNDS, SECONDS = (1, 10, 30), 3, 12.0
POINTS = (100, 2_000, 100_000)
WARM_UP = 4.0


def watch(server: Server, run_id: str, count: int, seconds: float) -> "subprocess.Popen[str]":
    """Open pages in a process of their own."""
    query = f"run={run_id}"
    command = [sys.executable, "-m", "benchmarks.viewers", server.url, query, str(count)]
    return subprocess.Popen([*command, str(seconds)], stdout=subprocess.PIPE, text=True)


def steps_done(store: RunStore, run_id: str) -> tuple[int, float]:
    """Return how many steps are on record, and until when they are."""
    last = store.last_steps(run_id, 1)[0]
    return last.global_step, time.perf_counter()


def time_steps(server: Server, store: RunStore, run_id: str, viewers: int) -> dict[str, float]:
    """Return the pace of a run while so many watch."""
    watching = watch(server, run_id, viewers, WARM_UP + SECONDS) if viewers else None
    time.sleep(WARM_UP)
    first, began = steps_done(store, run_id)
    time.sleep(SECONDS - 1)
    last, ended = steps_done(store, run_id)
    result = {"pace": (last - first) / (ended - began)}
    if watching is not None:
        answer, _ = watching.communicate(timeout=120)
        found = json.loads(answer)
        result["clients_cpu_share"] = found["cpu_seconds"] / (WARM_UP + SECONDS)
        result["ticks_per_client"] = found["ticks"] / viewers / (WARM_UP + SECONDS)
    return result


def start_endless_run(server: Server) -> str:
    """Start a pocket run that does not end by itself: through the page, where it must train."""
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        page = browser.new_page()
        open_page(page, f"{server.url}/train")
        set_epochs(page, 100_000)
        page.get_by_role("button", name="Start training").click()
        page.wait_for_url("**/train?run=*")
        browser.close()
    store = RunStore(server.runs_dir)
    run = store.latest_run()
    store.close()
    assert run is not None
    return run.id


def measure_speed() -> dict[str, Any]:
    """Return the pace with viewers over the pace without, by turns."""
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder))
        run_id = start_endless_run(server)
        store = RunStore(server.runs_dir)
        time.sleep(10)
        ratios: dict[int, list[float]] = {count: [] for count in COUNTS}
        shares: dict[int, list[float]] = {count: [] for count in COUNTS}
        ticks: dict[int, list[float]] = {count: [] for count in COUNTS}
        before = time_steps(server, store, run_id, 0)["pace"]
        for _ in range(ROUNDS):
            for count in COUNTS:
                with_viewers = time_steps(server, store, run_id, count)
                after = time_steps(server, store, run_id, 0)["pace"]
                ratios[count].append(with_viewers["pace"] / statistics.mean([before, after]))
                shares[count].append(with_viewers["clients_cpu_share"])
                ticks[count].append(with_viewers["ticks_per_client"])
                before = after
                print(count, {k: round(v, 3) for k, v in with_viewers.items()}, round(after, 2))
        store.close()
        server.end()
    return {
        str(count): {
            "pace_over_unwatched": round(statistics.median(ratios[count]), 3),
            "all": [round(ratio, 3) for ratio in ratios[count]],
            "clients_cores": round(statistics.median(shares[count]), 3),
            "redraws_per_client_and_second": round(statistics.median(ticks[count]), 2),
        }
        for count in COUNTS
    }


def fill(store: RunStore, points: int) -> str:
    """Write down a run with so many steps and evaluations that reads as running."""
    preset = PRESETS["pocket"]
    corpus, run_id = load_text("the-lamp-room"), f"of-{points}"
    store.save_text(corpus.text, corpus.sha256)
    store.add_run(
        run_id=run_id,
        owner="local",
        preset=preset.name,
        model_config=preset.model,
        training_config=replace(preset.training, num_epochs=10, eval_freq=1),
        text_name=corpus.name,
        text_sha256=corpus.sha256,
        train_tokens=5050,
        val_tokens=579,
        total_steps=2 * points,
        versions={"threads": "2"},
    )
    store.set_state(run_id, RunState.RUNNING, "local")
    for first in range(0, points, 5000):
        records = []
        for i in range(first, min(points, first + 5000)):
            loss = 11 / (1 + i / points) + 0.3 * ((i * 2654435761) % 1000) / 1000
            seconds = i / 10
            records.append((StepRecord(i, 1, 128 * (i + 1), loss, 1.0, 1e-3), seconds))
            records.append((EvaluationRecord(i, 1, 128 * (i + 1), loss, loss + 1), seconds))
        store.add_records(run_id, records, memory=10**9)
    text = "Every day the lamp " * 10
    samples = [SampleRecord(i, i + 1, i, "Every", text, ()) for i in range(10)]
    store.add_records(run_id, [(sample, points / 10) for sample in samples])
    return run_id


def measure_ticks() -> dict[str, Any]:
    """Return what a second of watching costs, by the number of points."""
    costs = {}
    for points in POINTS:
        with tempfile.TemporaryDirectory() as folder:
            store = RunStore(Path(folder) / "runs")
            run_id = fill(store, points)
            lock = acquire_run_lock(store, run_id)
            server = start_server(Path(folder))
            process = psutil.Process(server.process.pid)
            watch(server, run_id, 1, 6).communicate()  # imports, and the first reading of the run
            time.sleep(5)  # the optimizers' imports, which come when nobody waits
            idle_before = sum(process.cpu_times()[:2])
            time.sleep(5)
            idle = (sum(process.cpu_times()[:2]) - idle_before) / 5
            before = sum(process.cpu_times()[:2])
            answer, _ = watch(server, run_id, 1, 30).communicate()
            cpu = sum(process.cpu_times()[:2]) - before - 30 * idle
            found = json.loads(answer)
            costs[str(points)] = {
                "cpu_ms_per_second": round(1000 * cpu / 30, 1),
                "kib_per_second": round(found["kib"] / 30, 1),
                "median_answer_ms": round(found["median_answer_ms"], 1),
                "redraws_per_second": round(found["ticks"] / 30, 2),
            }
            print(points, costs[str(points)])
            server.end()
            lock.release()
            store.close()
    return costs


def measure_memory(minutes: int) -> dict[str, Any]:
    """Return the server's memory in MB, minute by minute, while five clients watch a run."""
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder), GPT_LAB_THREADS="1")  # leaves a core to others
        run_id = start_endless_run(server)
        watching = watch(server, run_id, 5, 60 * minutes)
        process = psutil.Process(server.process.pid)
        found = []
        for minute in range(minutes):
            time.sleep(60)
            found.append(round(process.memory_info().rss / 1e6))
            print(minute + 1, found[-1], flush=True)
        watching.wait(timeout=120)
        store = RunStore(server.runs_dir)
        points = len(store.steps(run_id))
        store.close()
        server.end()
    return {"mb": found, "steps_recorded": points}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What watching costs.")
    parser.add_argument("--minutes", type=int, default=0, help="watch so long, for the memory")
    options = parser.parse_args()
    if options.minutes:
        print_result(benchmark="watching_memory", memory=measure_memory(options.minutes))
    else:
        print_result(benchmark="dashboard", tick=measure_ticks(), speed=measure_speed())


if __name__ == "__main__":
    main()

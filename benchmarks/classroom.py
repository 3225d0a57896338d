"""A class of thirty: ``python -m benchmarks.classroom [--students 30] [--minutes 5]``.

With ``--against COMMIT --pairs 3`` the commit's code and this folder's hold a class by turns.

Thirty students join over HTTP and open the Train page by websocket, as browsers do. All follow the
teacher's live run, each against the axis of their own choice, which they change now and then; ten
press the button that trains a small GPT; three reload at random. Two runs train by turns.

Measured: seconds from a click to the chart that it asked for; training steps per second of all runs
together, with the class (B) beside before and after it (A), in one run; the server's memory; the
CPU time of a redraw, of which other work on the machine takes nothing.
Checked, and counted as faults: a page's error, a chart that shows somebody else's choice, a button
for somebody else's run, a run that is lost. The clients compute on the same machine, which
students' laptops would not.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks import visitor as visitor_module
from benchmarks.pairs import print_result
from benchmarks.visitor import TITLES, Visitor, enter
from gpt_core.presets import PRESETS
from gpt_core.runner import TrainingRunner
from gpt_core.store import RunStore
from gpt_core.text import load_text
from tests.browser.conftest import Server, start_server
from tests.support.paths import ROOT

CODE, PASSPHRASE = "abc234", "the teacher's"
CLICK_EVERY = 30.0  # seconds between a student's clicks, on average
QUEUING, RELOADING = 10, 3  # students
ALONE_SECONDS = 40.0  # before and after the class, each after a quarter of it to warm up
TRAIN = "train"
# Of one class, those that are compared with another commit's: lower is better but for training's.
COMPARED = (
    "pace_over_unwatched",
    "click_p50_s",
    "click_p95_s",
    "click_worst_s",
    "cpu_ms_per_redraw",
    "mb_per_student",
)


async def press_start(url: str, cookie: str, name: str) -> tuple[Visitor, float]:
    """Press the button on Home that trains a small GPT; stay where that leads."""
    visitor = Visitor(url, cookie, name)
    await visitor.open()
    await visitor.wait_for("Train a small GPT now")
    await visitor.live(time.perf_counter() + 4)
    began = time.perf_counter()
    await visitor.click("Train a small GPT now")
    await visitor.live(time.perf_counter() + 4)
    return visitor, began


async def be_a_student(
    visitor: Visitor, until: float, rng: random.Random, queues: bool, reloads: bool
) -> None:
    """Follow the live run; click now and then, start a run or reload, until a moment."""
    await visitor.open()
    now = time.perf_counter()
    length = until - now
    reload_at = now + rng.uniform(0.2, 0.8) * length if reloads else until
    queue_at = now + rng.uniform(0.2, 0.5) * length if queues else until
    click_at = now + rng.uniform(3, CLICK_EVERY)
    while (now := time.perf_counter()) < until:
        await visitor.live(min(until, reload_at, queue_at, click_at))
        now = time.perf_counter()
        if now >= until:
            break
        if now >= reload_at:
            reload_at = until
            await visitor.open()
            click_at = now + 5
        elif now >= queue_at:
            queue_at = until
            other, _ = await press_start(visitor.url, visitor.cookie, visitor.name)
            visitor.faults += other.faults
            assert other.socket is not None
            await other.socket.close()
        elif not visitor.awaited:  # also while the page is being redrawn, as people do
            if "Against" in visitor.widgets:
                await visitor.choose_axis(rng.choice([a for a in TITLES if a != visitor.axis]))
            click_at = now + rng.uniform(0.5, 1.5) * CLICK_EVERY
        else:
            click_at = now + 0.2
    if visitor.socket is not None:
        await visitor.socket.close()


def prepare(folder: Path) -> str:
    """Put a run on record that trains for as long as one likes, once the teacher resumes it."""
    store = RunStore(folder / "runs")
    runner = TrainingRunner(store)
    pocket = PRESETS["pocket"]
    config = replace(pocket.training, num_epochs=100_000)
    run_id = runner.start(pocket, load_text("the-lamp-room"), config, actor="teacher")
    while not store.steps(run_id):
        time.sleep(0.1)
    runner.close()
    store.close()
    return run_id


def steps_done(store: RunStore) -> tuple[int, float]:
    """Return how many steps all runs have on record."""
    return sum(summary.steps_done for summary in store.summaries()), time.perf_counter()


def cpu_of_threads(process: psutil.Process) -> dict[int, float]:
    """Return the seconds that each living thread of a process has computed."""
    return {thread.id: thread.user_time + thread.system_time for thread in process.threads()}


def cpu_beside(process: psutil.Process, trains: set[int]) -> float:
    """Return the seconds that a process has computed in all threads but those that train."""
    whole = process.cpu_times()
    living = cpu_of_threads(process)
    return whole.user + whole.system - sum(living.get(key, 0.0) for key in trains)


def pace_between(before: tuple[int, float], after: tuple[int, float]) -> float:
    """Return the steps per second between two moments."""
    return (after[0] - before[0]) / (after[1] - before[1])


async def teach(
    server: Server, port: int, run_id: str, students: int, seconds: float, alone_seconds: float
) -> dict[str, Any]:
    """Hold the class, and return what came of it."""
    warm_up = alone_seconds / 4
    url, rng = f"http://127.0.0.1:{port}", random.Random(123)
    store = RunStore(server.runs_dir)
    process = psutil.Process(server.process.pid)
    teacher = Visitor(url, enter(url, passphrase=PASSPHRASE), "Teacher", TRAIN, f"run={run_id}")
    await teacher.open()
    await teacher.live(time.perf_counter() + 6)
    await teacher.click("Resume")
    await teacher.live(time.perf_counter() + 4)
    assert teacher.socket is not None
    await teacher.socket.close()  # nobody watches
    await asyncio.sleep(warm_up)
    first, busy = steps_done(store), cpu_of_threads(process)
    await asyncio.sleep(alone_seconds)
    alone = pace_between(first, steps_done(store))
    after = cpu_of_threads(process)
    trains = {key for key in after if after[key] - busy.get(key, 0.0) > 0.1 * alone_seconds}
    memory_before = process.memory_info().rss
    redraws_cpu = cpu_beside(process, trains)

    cookies = [enter(url, name=f"Student {i:02}", code=CODE) for i in range(students)]
    visitors = [
        Visitor(url, cookie, f"Student {i:02}", TRAIN, f"run={run_id}")
        for i, cookie in enumerate(cookies)
    ]
    until = time.perf_counter() + seconds
    tasks = []
    for i, visitor in enumerate(visitors):
        queues, reloads = i < QUEUING, QUEUING <= i < QUEUING + RELOADING
        task = be_a_student(visitor, until, random.Random(i), queues, reloads)
        tasks.append(asyncio.create_task(task))
        await asyncio.sleep(rng.uniform(0, 0.4))
    await asyncio.sleep(warm_up)
    first = steps_done(store)
    await asyncio.sleep(0.05 * seconds)
    memory = [process.memory_info().rss]  # nobody has started a run yet: a model is no student's
    cpu_before = time.process_time(), time.perf_counter()
    while time.perf_counter() < until - 5:
        await asyncio.sleep(min(30, max(1, until - 5 - time.perf_counter())))
        memory.append(process.memory_info().rss)
    watched = pace_between(first, steps_done(store))
    clients = (time.process_time() - cpu_before[0]) / (time.perf_counter() - cpu_before[1])
    await asyncio.gather(*tasks)
    redraws_cpu = cpu_beside(process, trains) - redraws_cpu
    redraws = sum(visitor.ticks for visitor in visitors)
    await asyncio.sleep(warm_up)
    first = steps_done(store)
    await asyncio.sleep(alone_seconds)
    after = pace_between(first, steps_done(store))

    faults = [fault for visitor in visitors for fault in visitor.faults]
    faults += check_runs(store, visitors)
    store.close()
    clicks = sorted(click for visitor in visitors for click in visitor.clicks)
    return {
        "students": students,
        "seconds": seconds,
        "pace_over_unwatched": round(watched / statistics.mean([alone, after]), 3),
        "paces": [round(pace, 2) for pace in (alone, watched, after)],
        "clicks": len(clicks),
        "click_p50_s": round(clicks[len(clicks) // 2], 3),
        "click_p95_s": round(clicks[int(0.95 * len(clicks))], 3),
        "click_worst_s": round(clicks[-1], 3),
        "memory_mb": [round(rss / 1e6) for rss in (memory_before, *memory)],
        "mb_per_student": round((memory[0] - memory_before) / 1e6 / students, 1),
        "clients_cores": round(clients, 2),
        "redraws": redraws,
        "cpu_ms_per_redraw": round(1000 * redraws_cpu / redraws, 1),
        "faults": faults,
    }


def check_runs(store: RunStore, visitors: list[Visitor]) -> list[str]:
    """Return what is wrong with the runs: lost ones, and buttons for those of others."""
    runs = {run.id: run for run in store.runs()}
    names = store.class_store.names()
    queued = sorted(
        names.get(run.owner, run.owner) for run in runs.values() if run.owner != "teacher"
    )
    wanted = sorted(visitor.name for visitor in visitors[:QUEUING])
    faults = [] if queued == wanted else [f"runs of {queued} instead of {wanted}"]
    faults += [f"{run.id} has {run.state}" for run in runs.values() if run.state == "failed"]
    for visitor in visitors:
        for run_id in visitor.buttons_of:
            if names.get(runs[run_id].owner) != visitor.name:
                faults.append(f"{visitor.name} was shown buttons of {run_id}")
    return faults


def measure(students: int, minutes: float, alone_seconds: float = ALONE_SECONDS) -> dict[str, Any]:
    """Start a class's server and hold a class; return what was measured, and the faults."""
    with tempfile.TemporaryDirectory() as place:
        run_id = prepare(Path(place))
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = start_server(
            Path(place),
            "classroom.py",
            GPT_LAB_CLASS_PORT=str(port),
            GPT_LAB_JOIN_CODE=CODE,
            GPT_LAB_PASSPHRASE=PASSPHRASE,
            GPT_LAB_ACTIVE_RUNS="2",
        )
        try:
            result = asyncio.run(teach(server, port, run_id, students, 60 * minutes, alone_seconds))
        finally:
            server.end()
        log = server.log.read_text()
        if "Traceback" in log:
            result["faults"].append(log[-2000:])
        return result


def compare(commit: str, students: int, minutes: float, pairs: int) -> dict[str, Any]:
    """Hold a class with a commit's code and one with this folder's, by turns.

    Returns both medians of each value and the median of the ratios, this folder's over the
    commit's; and the faults.
    """
    program = (
        "import json; from benchmarks.classroom import measure; "
        f"print(json.dumps(measure({students}, {minutes})))"
    )

    def hold(folder: Path) -> dict[str, Any]:
        command = [sys.executable, "-c", program]
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        print(folder, json.dumps(result), file=sys.stderr, flush=True)
        return result

    with tempfile.TemporaryDirectory() as place:
        archive = subprocess.run(
            ["git", "archive", commit], cwd=ROOT, capture_output=True, check=True
        )
        subprocess.run(["tar", "-x", "-C", place], input=archive.stdout, check=True)
        for module in (__file__, visitor_module.__file__):  # both classes do the same
            shutil.copy(module, Path(place) / "benchmarks")
        held = [(hold(Path(place)), hold(ROOT)) for _ in range(pairs)]
    result: dict[str, Any] = {"commit": commit, "pairs": pairs}
    for name in COMPARED:
        values = [(then[name], now[name]) for then, now in held]
        result[name] = {
            "then": statistics.median(then for then, _ in values),
            "now": statistics.median(now for _, now in values),
            "ratio": round(statistics.median(now / then for then, now in values), 3),
        }
    result["faults"] = [fault for _, now in held for fault in now["faults"]]
    return result


def main() -> None:
    """Measure and print; end with 1 if there was a fault."""
    parser = argparse.ArgumentParser(description="A class on one machine.")
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--against", metavar="COMMIT", help="compare with this one, by turns")
    parser.add_argument("--pairs", type=int, default=2, help="with --against: so many turns")
    options = parser.parse_args()
    if options.against:
        compared = compare(options.against, options.students, options.minutes, options.pairs)
        print(json.dumps(compared))
        sys.exit(bool(compared["faults"]))
    result = measure(options.students, options.minutes)
    print_result(benchmark="classroom", **result)
    sys.exit(bool(result["faults"]))


if __name__ == "__main__":
    main()

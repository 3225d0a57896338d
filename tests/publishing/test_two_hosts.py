"""Two hosts, as network namespaces with a cable between them, which is pulled out while one trains.

Needs root and iproute2.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.published import SMALL, TOKEN, rows_in, steps_in, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.whole_run]

TRAINS, WATCHES = f"lab-trains-{os.getpid()}", f"lab-watches-{os.getpid()}"
CABLE = {TRAINS: "cable0", WATCHES: "cable1"}
ADDRESSES = {TRAINS: "10.213.7.1", WATCHES: "10.213.7.2"}
URL = f"http://{ADDRESSES[WATCHES]}:8501"


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def start_on(host: str, *command: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        ["ip", "netns", "exec", host, sys.executable, "-m", *command],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "GPT_LAB_PUBLISH_TOKEN": TOKEN,
            **environment,
        },
    )


@pytest.fixture
def hosts() -> Iterator[None]:
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("needs iproute2 and root")
    for host in CABLE:
        ip("netns", "add", host)
    try:
        (near, near_end), (far, far_end) = CABLE.items()
        ip("-n", near, "link", "add", near_end, "type", "veth", "peer", far_end, "netns", far)
        for host, end in CABLE.items():
            ip("-n", host, "address", "add", f"{ADDRESSES[host]}/24", "dev", end)
            for device in ("lo", end):
                ip("-n", host, "link", "set", device, "up")
        yield
    finally:
        for host in CABLE:
            ip("netns", "delete", host)


def test_the_cable_is_pulled_and_plugged_in_again_and_all_rows_arrive_once(
    hosts: None, tmp_path: Path
) -> None:
    here, there = tmp_path / "trains", tmp_path / "watches"
    app = start_on(
        WATCHES,
        *("streamlit", "run", "app.py", "--server.port", "8501"),
        *("--server.address", ADDRESSES[WATCHES]),
        GPT_LAB_RUNS_DIR=str(there),
    )
    training = start_on(
        TRAINS,
        *("gpt_core", "train", *SMALL, "--epochs", "120", "--eval-freq", "20"),
        *("--sample-tokens", "3", "--runs-dir", str(here), "--run-id", "far", "--publish", URL),
    )
    try:
        wait_until(lambda: steps_in(there, "far") >= 10)
        ip("-n", WATCHES, "link", "set", CABLE[WATCHES], "down")
        done = steps_in(here, "far")
        wait_until(lambda: steps_in(here, "far") >= done + 100)  # what was on its way has come
        sent = steps_in(there, "far")
        wait_until(lambda: steps_in(here, "far") >= done + 200)
        assert steps_in(there, "far") == sent < steps_in(here, "far") - 100
        ip("-n", WATCHES, "link", "set", CABLE[WATCHES], "up")
        _, err = training.communicate(timeout=300)
        assert training.returncode == 0, err
        assert "is not encrypted" in err
        assert "takes no rows at this moment" in err
        assert f"All of run far is at {URL}." in err
        assert rows_in(there, "far") == rows_in(here, "far")
        assert len(rows_in(there, "far")["steps"]) == 1080
    finally:
        for process in (training, app):
            if process.poll() is None:
                process.terminate()
            process.communicate(timeout=60)
